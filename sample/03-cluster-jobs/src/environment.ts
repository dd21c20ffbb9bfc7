/** What the app reads from its environment; a value that cannot work ends the start with the reason. */
import { hostname } from 'node:os';
import { z } from 'zod';

export const Environment = z.object({
  /** The port to listen on. */
  PORT: z.coerce.number().int().min(1).max(65_535).default(3000),
  /** What this instance is called on the page. */
  INSTANCE: z.string().min(1).default(`${hostname()}-${process.pid}`),
  /** How long the others wait for a leader that has crashed. */
  TTL_SECONDS: z.coerce.number().int().min(2).default(5),
  /** The members of the etcd cluster, separated by commas. */
  ETCD_ENDPOINTS: z
    .string()
    .default('http://127.0.0.1:2379')
    .transform((list) => list.split(',')),
});

export type Environment = z.infer<typeof Environment>;
