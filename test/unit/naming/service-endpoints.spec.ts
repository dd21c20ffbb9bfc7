/** The endpoints of a service: what is sent to register them, and what is made of what is there. */
import { describe, expect, it } from '@jest/globals';
import {
  EtcdDuplicateKeyError,
  EtcdInvalidArgumentError,
  EtcdTooManyOperationsError,
} from '../../../lib/client/errors.js';
import { EtcdKv } from '../../../lib/client/kv/kv.js';
import { ServiceEndpoints, type EndpointList } from '../../../lib/client/naming/service-endpoints.js';
import { RANGE, TXN } from '../../../lib/client/rpc/methods.js';
import { EtcdPermissionDeniedError } from '../../../lib/client/server-errors.js';
import { settle } from '../../support/fake-clock.js';
import { bytes, rangeAnswer, stored, text, txnAnswer } from '../kv/answers.js';
import { canceled, collect, created, deleted, FakeEtcd, header, progress, put, sent } from '../watch/fake-etcd.js';

function connect(target = 'svc'): { etcd: FakeEtcd; endpoints: ServiceEndpoints } {
  const etcd = new FakeEtcd();
  etcd.rpc.answerAlways(TXN, txnAnswer(true, [], 8));
  const kv = new EtcdKv(etcd.rpc, { maxTxnOperations: 128, callTimeoutMs: 5_000 });
  return { etcd, endpoints: new ServiceEndpoints({ kv, watch: etcd.watch }, target) };
}

const json = (address: string): string => `{"Op":0,"Addr":"${address}","Metadata":null}`;

/** `name=address` of each, in their order. */
const shown = ({ endpoints }: EndpointList): string[] =>
  [...endpoints].map(([name, { address }]) => `${name}=${address}`);

describe('Endpoints are registered', () => {
  it('under the target and their name, with their lease', async () => {
    const { etcd, endpoints } = connect('services/orders');

    await endpoints.add('blue-1', { address: 'a:1' }, { lease: '7b' });

    const [request] = etcd.rpc.requests(TXN);
    expect(request).toMatchObject({ compare: [], failure: [], success: [{ requestPut: { lease: '7b' } }] });
    expect(text(request?.success?.[0]?.requestPut?.key)).toBe('services/orders/blue-1');
    expect(text(request?.success?.[0]?.requestPut?.value)).toBe(json('a:1'));
  });

  it('and taken away together with others, in one transaction', async () => {
    const { etcd, endpoints } = connect();

    const { header: answered } = await endpoints.update([
      { op: 'delete', name: 'blue' },
      { op: 'add', name: 'green', endpoint: { address: 'g:1' } },
    ]);
    await endpoints.delete('gone');

    expect(answered.revision).toBe(8);
    expect(etcd.rpc.requests(TXN)).toMatchObject([
      { success: [{ requestDeleteRange: { key: bytes('svc/blue') } }, { requestPut: { key: bytes('svc/green') } }] },
      { success: [{ requestDeleteRange: { key: bytes('svc/gone') } }] },
    ]);
  });

  it('only if all of it makes sense: nothing is sent otherwise', async () => {
    const { etcd, endpoints } = connect();
    const many = Array.from({ length: 129 }, (_, index) => ({ op: 'delete', name: String(index) }) as const);

    await expect(endpoints.update([])).rejects.toBeInstanceOf(EtcdInvalidArgumentError);
    await expect(endpoints.add('', { address: 'a:1' })).rejects.toThrow('argument name must not be empty');
    await expect(endpoints.add('a', { address: '' })).rejects.toThrow('argument address');
    await expect(endpoints.update(many)).rejects.toBeInstanceOf(EtcdTooManyOperationsError);
    await expect(
      endpoints.update([many[0]!, { op: 'add', name: '0', endpoint: { address: 'a:1' } }]),
    ).rejects.toBeInstanceOf(EtcdDuplicateKeyError);
    expect(() => connect('')).toThrow('argument target must not be empty');
    expect(etcd.rpc.calls).toEqual([]);
  });

  it('within the time and until the signal that the call was given', async () => {
    const { etcd, endpoints } = connect();
    const { signal } = new AbortController();

    await endpoints.add('a', { address: 'a:1' }, { timeoutMs: 7, signal });

    expect(etcd.rpc.calls[0]?.options).toMatchObject({ timeoutMs: 7, signal });
  });
});

describe('The list of endpoints', () => {
  it('has all of them by name, and the names of what is none', async () => {
    const { etcd, endpoints } = connect();
    const kvs = [
      stored('svc/', json('c:3')),
      stored('svc/a', json('a:1')),
      stored('svc/b', 'junk'),
      stored('svc/c/d', json('b:2')),
    ];
    etcd.rpc.answer(RANGE, rangeAnswer(kvs, { header: header(7) }));

    const list = await endpoints.list({ serializable: true });

    expect(etcd.rpc.requests(RANGE)).toMatchObject([
      { key: bytes('svc/'), rangeEnd: bytes('svc0'), serializable: true },
    ]);
    expect(shown(list)).toEqual(['=c:3', 'a=a:1', 'c/d=b:2']);
    expect([list.unreadable, list.revision]).toEqual([['b'], 7]);
  });
});

describe('Watching endpoints', () => {
  it('gives the whole list each time one of them has changed, in the order of names', async () => {
    const { etcd, endpoints } = connect();
    etcd.rpc.answer(RANGE, rangeAnswer([stored('svc/b', json('b:1'))], { header: header(5) }));
    const lists = collect(endpoints.watch());
    await settle();

    await etcd.answer(created(1, 5), sent(1, [put('svc/a', 6, json('a:1')), put('svc/ÿ', 6, json('y:1'))]));
    await etcd.answer(progress(1, 8), sent(1, [deleted('svc/b', 9)]), sent(1, [put('svc/a', 10, 'junk')]));

    expect(lists.items.map(shown)).toEqual([['b=b:1'], ['a=a:1', 'b=b:1', 'ÿ=y:1'], ['a=a:1', 'ÿ=y:1'], ['ÿ=y:1']]);
    expect(lists.items.map(({ revision, unreadable }) => [revision, unreadable])).toEqual([
      [5, []],
      [6, []],
      [9, []],
      [10, ['a']],
    ]);
  });

  it('goes on after compaction, with a list that was read anew (W5)', async () => {
    const { etcd, endpoints } = connect();
    etcd.rpc.answer(RANGE, rangeAnswer([stored('svc/b', json('b:1'))], { header: header(5) }));
    etcd.rpc.answer(RANGE, rangeAnswer([stored('svc/c', json('c:1'))], { header: header(30) }));
    const lists = collect(endpoints.watch());
    await settle();

    await etcd.answer(created(1, 29), canceled(1, { compactRevision: 28 }));
    await etcd.clock.advance(2_000);

    expect(lists.items.map(shown)).toEqual([['b=b:1'], ['c=c:1']]);
  });

  it('ends with its loop, at once also while it waits', async () => {
    const { etcd, endpoints } = connect();
    etcd.rpc.answer(RANGE, rangeAnswer([]));
    const loop = endpoints.watch();
    await loop.next();
    const waiting = loop.next();
    await settle();

    await loop.return?.();

    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(etcd.watch.stats().watches).toBe(0);
  });

  it('fails when the user may not read them', async () => {
    const { etcd, endpoints } = connect();
    const denied = new EtcdPermissionDeniedError({ reason: 'PermissionDenied', serverMessage: 'permission denied' });
    etcd.rpc.answer(RANGE, denied);

    await expect(endpoints.watch().next()).rejects.toBe(denied);
  });
});
