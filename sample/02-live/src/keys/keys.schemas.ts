/** The input that the routes accept. Whatever does not fit is answered with 400 before etcd is asked. */
import { z } from 'zod';

/** Without the prefix. Slashes are fine, percent-encoded in the path. */
export const Key = z.string().min(1).max(200);

const Revision = z.coerce.number().int().min(1);

export const PutBody = z.strictObject({
  value: z.string().max(10_000),
  /** The `modRevision` that the person saw; `null` for a key that is new to them. */
  revision: Revision.nullable(),
});
export type PutBody = z.infer<typeof PutBody>;

export const DeleteQuery = z.strictObject({ revision: Revision });
export type DeleteQuery = z.infer<typeof DeleteQuery>;
