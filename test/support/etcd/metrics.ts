/** What members count themselves: the only way to see from outside what a client has left on them. */
import type { Etcd } from './cluster.js';

/**
 * A metric of all members together.
 *
 * @param labels which of its series count, such as `{ grpc_method: 'Watch' }`; all unless given.
 */
export async function sumOfMetric(
  { endpoints }: Pick<Etcd, 'endpoints'>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const pages = await Promise.all(endpoints.map(async (endpoint) => (await fetch(`${endpoint}/metrics`)).text()));
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const lines = pages.flatMap((page) => page.split('\n'));
  const ours = lines.filter((line) => /^\w+/.exec(line)?.[0] === name && wanted.every((label) => line.includes(label)));
  return ours.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
