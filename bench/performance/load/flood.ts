/**
 * Writes what is watched, in a process of its own: transactions of puts to one key after the other, encoded beforehand.
 * Each byte on the standard input allows one more, so that it is never further ahead than the watching client lets it be.
 */
import { Client, credentials } from '@grpc/grpc-js';
import { loadDefinition } from './grpc-js.js';

const [endpoint = '', prefix = '', keys = '1', putsPerTxn = '1', valueBytes = '1'] = process.argv.slice(2);

interface Method {
  readonly path: string;
  readonly requestSerialize: (request: object) => Buffer;
}

const method = (loadDefinition()['etcdserverpb.KV'] as unknown as Record<'Txn', Method>).Txn;
const client = new Client(new URL(endpoint).host, credentials.createInsecure());
const value = Buffer.alloc(Number(valueBytes), 'v');
let sent = 0;

/** Every key is written by one of these. */
const requests = Array.from({ length: Math.ceil(Number(keys) / Number(putsPerTxn)) }, (_, index) => {
  const puts = Array.from({ length: Number(putsPerTxn) }, (_unused, offset) => {
    const key = (index * Number(putsPerTxn) + offset) % Number(keys);
    return { request_put: { key: Buffer.from(`${prefix}${key}`), value } };
  });
  return method.requestSerialize({ success: puts });
});

function write(): void {
  const request = requests[sent++ % requests.length]!;
  const asIs = (bytes: Buffer): Buffer => bytes;
  client.makeUnaryRequest(method.path, asIs, asIs, request, (error) => {
    if (error !== null) throw error;
  });
}

process.stdin.on('data', (allowed: Buffer) => {
  for (let index = 0; index < allowed.length; index++) write();
});
process.stdin.on('end', () => process.exit(0));
