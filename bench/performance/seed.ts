/** Writes the keys that a case reads, watches and overwrites. */
import { EtcdClient } from '../../lib/client/client.js';
import { put } from '../../lib/client/kv/operations.js';
import type { Case } from './cases.js';

const TXN_BYTES = 1024 * 1024;
const TXN_PUTS = 128;
const IN_FLIGHT = 8;

type Keys = Pick<Case, 'keys' | 'valueBytes' | 'versions'>;

/** What all keys of one kind begin with. */
export function prefixOf({ keys, valueBytes, versions }: Keys): string {
  return `seeded/${keys}x${valueBytes}x${versions}/`;
}

export async function seed(endpoint: string, kind: Keys): Promise<void> {
  const client = new EtcdClient({ endpoints: endpoint });
  const value = 'v'.repeat(kind.valueBytes);
  const perTxn = Math.min(TXN_PUTS, Math.max(1, Math.floor(TXN_BYTES / (kind.valueBytes + 100))));
  const all = kind.keys * kind.versions;
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let first = next; first < all; first = next) {
      const key = first % kind.keys; // No transaction writes a key twice.
      next = first + Math.min(kind.keys - key, perTxn);
      const puts = Array.from({ length: next - first }, (_, index) => put(`${prefixOf(kind)}${key + index}`, value));
      await client.kv
        .txn()
        .then(...puts)
        .commit();
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  await client.close();
}
