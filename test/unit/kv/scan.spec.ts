/** A scan gives every key at one revision, in pieces, whatever the server can do and whatever breaks on the way. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import {
  EtcdAbortedError,
  EtcdDeadlineExceededError,
  EtcdMessageTooLargeError,
  EtcdUnavailableError,
  EtcdUnsupportedError,
} from '../../../lib/client/errors.js';
import { KeyRange, allKeys, prefix } from '../../../lib/client/key-range.js';
import type { Scan } from '../../../lib/client/kv/scan.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { RANGE, RANGE_STREAM } from '../../../lib/client/rpc/methods.js';
import { EtcdCompactedError, EtcdFutureRevisionError } from '../../../lib/client/server-errors.js';
import { settle } from '../../support/fake-clock.js';
import type { FakeRpc, FakeStream } from '../../support/fake-rpc.js';
import { bytes, fakeKv, header, rangeAnswer, stored, text } from './answers.js';

type RangeStream = FakeStream<wire.RangeRequest, wire.RangeStreamResponse>;

const KEYS = Array.from({ length: 100 }, (_, index) => `k/${String(index).padStart(3, '0')}`);

/** Answers reads of a store with these keys, of which each read makes the revision grow. */
function serve(rpc: FakeRpc, keys = KEYS, valueBytes = 10): (request: wire.RangeRequest) => wire.RangeResponse {
  let revision = 500;
  const answer = (request: wire.RangeRequest): wire.RangeResponse => {
    const range = new KeyRange(request.key!, request.rangeEnd!);
    const found = keys.filter((key) => range.contains(bytes(key)));
    const kvs = found.slice(0, request.limit || undefined).map((key) => stored(key, 'v'.repeat(valueBytes)));
    return rangeAnswer(kvs, { count: found.length, more: kvs.length < found.length, header: header(revision++) });
  };
  rpc.answerAlways(RANGE, answer);
  return answer;
}

/** A server before 3.7. */
function withoutStream(rpc: FakeRpc): void {
  rpc.onStream(RANGE_STREAM, (stream) => stream.fail(new EtcdUnsupportedError('KV.RangeStream', '3.7')));
}

/** A server whose fourth page, which is the first to be read ahead, comes or fails when the test says so. */
class HeldPage {
  answer!: () => void;
  fail!: (error: Error) => void;
  /** Whether the scan gave it up while it was on its way. */
  isCalledBack = false;

  constructor(rpc: FakeRpc) {
    const answer = serve(rpc);
    rpc.answer(RANGE, answer, answer, answer, async (request, { signal }) => {
      const callBack = (): void => {
        this.isCalledBack = true;
        this.fail(new EtcdAbortedError({ cause: signal?.reason as unknown }));
      };
      signal?.addEventListener('abort', callBack);
      await new Promise<void>((resolve, reject) => {
        this.answer = resolve;
        this.fail = reject;
      }).finally(() => signal?.removeEventListener('abort', callBack));
      return answer(request);
    });
  }
}

/** By pages on every server. */
const PAGES_OF_TEN = { pageSize: 10, minModRevision: 1 };

function piece(keys: string[], last?: 'last'): wire.RangeStreamResponse {
  const facts = last === undefined ? { header: null, count: 0 } : {};
  return {
    rangeResponse: rangeAnswer(
      keys.map((key) => stored(key)),
      facts,
    ),
  };
}

async function keysOf(scan: Scan): Promise<string[]> {
  const keys: string[] = [];
  for await (const kv of scan) keys.push(kv.key);
  return keys;
}

const sizes = (rpc: FakeRpc): (number | undefined)[] => rpc.requests(RANGE).map(({ limit }) => limit);

describe('A scan by pages', () => {
  it('gives every key, in order, at the revision of the first page', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    withoutStream(rpc);

    const keys = await keysOf(kv.scan(prefix('k/'), { pageSize: 30 }));

    expect(keys).toEqual(KEYS);
    const requests = rpc.requests(RANGE);
    expect(requests.map(({ revision }) => revision)).toEqual([0, 500, 500, 500]);
    expect(requests.map(({ limit }) => limit)).toEqual([30, 30, 30, 30]);
    expect(requests.map(({ key }) => text(key))).toEqual(['k/', 'k/029\0', 'k/059\0', 'k/089\0']);
    expect(requests.every(({ rangeEnd }) => text(rangeEnd) === 'k0')).toBe(true);
  });

  it('begins with a small page, and adapts the next ones to what the keys weigh', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc, KEYS, 1024 * 1024);
    withoutStream(rpc);

    expect(await keysOf(kv.scan(prefix('k/')))).toEqual(KEYS);
    expect(sizes(rpc)[0]).toBe(40);
    expect(sizes(rpc).slice(1)).toEqual(Array(20).fill(3));
  });

  it('reads as many keys as asked for once they are known to be light', async () => {
    const { kv, rpc } = fakeKv();
    const many = Array.from({ length: 5_000 }, (_, index) => `k/${String(index).padStart(5, '0')}`);
    serve(rpc, many);
    withoutStream(rpc);

    expect(await keysOf(kv.scan(prefix('k/'), { pageSize: 2_000 }))).toHaveLength(5_000);
    expect(sizes(rpc)).toEqual([40, 1_000, 2_000, 2_000]);
  });

  it('asks for half the keys when a page is too large for the client', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    withoutStream(rpc);
    const tooLarge = new EtcdMessageTooLargeError('response', 1_000, '9999 bytes');
    rpc.answer(RANGE, tooLarge, tooLarge);

    expect(await keysOf(kv.scan(prefix('k/'), { pageSize: 30 }))).toEqual(KEYS);
    expect(sizes(rpc).slice(0, 4)).toEqual([30, 15, 8, 30]);
  });

  it('gives up when a single key is too large', async () => {
    const { kv, rpc } = fakeKv();
    const tooLarge = new EtcdMessageTooLargeError('response', 1_000, '9999 bytes');
    rpc.answerAlways(RANGE, tooLarge);

    await expect(keysOf(kv.scan(prefix('k/'), { pageSize: 4 }))).rejects.toBe(tooLarge);
    expect(sizes(rpc)).toEqual([4, 2, 1]);
  });

  it('gives up at once when it is the request that is too large', async () => {
    const { kv, rpc } = fakeKv();
    const tooLarge = new EtcdMessageTooLargeError('request', 1_000, '9999 bytes');
    rpc.answerAlways(RANGE, tooLarge);

    await expect(keysOf(kv.scan(prefix('k/')))).rejects.toBe(tooLarge);
    expect(rpc.calls).toHaveLength(1);
  });

  it('reads at the revision that was asked for', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    withoutStream(rpc);

    const revisions: number[] = [];
    for await (const page of kv.scan(prefix('k/'), { revision: 77, pageSize: 60 }).pages())
      revisions.push(page.revision);

    expect(new Set(revisions)).toEqual(new Set([77]));
    expect(rpc.requests(RANGE).every(({ revision }) => revision === 77)).toBe(true);
  });

  it('gives one page, with the revision, when there is nothing', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc, []);

    const pages = [];
    for await (const page of kv.scan(allKeys()).pages()) pages.push(page);

    expect(pages).toEqual([{ revision: 500, kvs: [] }]);
    expect(rpc.streams).toEqual([]);
  });

  it('passes on its options to each page', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    const { signal } = new AbortController();
    const bounds = { minModRevision: 1, maxModRevision: 2, minCreateRevision: 3, maxCreateRevision: 4 };
    const options = { ...bounds, keysOnly: true, serializable: true };

    await keysOf(kv.scan(prefix('k/'), { ...options, signal, timeoutMs: 90, pageSize: 50 }));

    expect(rpc.requests(RANGE)).toHaveLength(3);
    for (const request of rpc.requests(RANGE)) expect(request).toMatchObject(options);
    for (const call of rpc.calls) expect(call.options).toMatchObject({ signal, timeoutMs: 90 });
  });

  it('never streams with revision bounds, which the stream does not know', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);

    expect(await keysOf(kv.scan(prefix('k/'), { minModRevision: 1 }))).toEqual(KEYS);
    expect(rpc.streams).toEqual([]);
  });

  it('asks without serializable when a member is not yet at the revision', async () => {
    const { kv, rpc } = fakeKv();
    const facts = { reason: 'FutureRev', serverMessage: 'etcdserver: mvcc: required revision is a future revision' };
    serve(rpc);
    withoutStream(rpc);
    rpc.answer(RANGE, rangeAnswer([stored('k/000')], { more: true }), new EtcdFutureRevisionError(facts));

    const keys = await keysOf(kv.scan(prefix('k/'), { serializable: true }));

    expect(keys).toEqual(KEYS);
    expect(rpc.requests(RANGE).map(({ serializable }) => serializable)).toEqual([true, true, false]);
  });

  it('ends with the error of a compaction', async () => {
    const { kv, rpc } = fakeKv();
    const facts = { reason: 'Compacted', serverMessage: 'etcdserver: mvcc: required revision has been compacted' };
    withoutStream(rpc);
    rpc.answer(RANGE, rangeAnswer([stored('k/000')], { more: true }), new EtcdCompactedError(facts));

    const keys: string[] = [];
    const reading = (async () => {
      for await (const { key } of kv.scan(prefix('k/'))) keys.push(key);
    })();

    await expect(reading).rejects.toBeInstanceOf(EtcdCompactedError);
    expect(keys).toEqual(['k/000']);
  });

  it('reads no page that nobody asks for when the loop is left early', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    withoutStream(rpc);

    for await (const { key } of kv.scan(prefix('k/'), { pageSize: 10 })) {
      if (key === 'k/014') break;
    }

    expect(rpc.calls).toHaveLength(2);
  });

  it('reads anew each time it is looped over', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    withoutStream(rpc);
    const scan = kv.scan(prefix('k/'));

    expect(await keysOf(scan)).toEqual(KEYS);
    expect(await keysOf(scan)).toEqual(KEYS);
    expect(rpc.requests(RANGE).filter(({ revision }) => revision === 0)).toHaveLength(2);
  });
});

describe('A scan that reads ahead', () => {
  it('asks for one page while the loop works on another, from the third on, and never for two', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    const pages = kv.scan(prefix('k/'), PAGES_OF_TEN).pages();

    const asked: number[] = [];
    for await (const page of pages) {
      expect(page.kvs).toHaveLength(10);
      for (let turn = 0; turn < 5; turn++) await settle();
      asked.push(rpc.calls.length);
    }

    expect(asked).toEqual([1, 2, 4, 5, 6, 7, 8, 9, 10, 10]);
  });

  it('has sent for the page before a loop that waits for nothing begins with its keys', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    let isThirdPage = false;
    let turnsBeforeThird = 0;
    const count = (): void => {
      turnsBeforeThird += 1;
      if (!isThirdPage) setImmediate(count);
    };

    for await (const { key } of kv.scan(prefix('k/'), PAGES_OF_TEN)) {
      if (key === 'k/019') count();
      isThirdPage = key === 'k/020';
      if (isThirdPage) break;
    }

    expect(turnsBeforeThird).toBeGreaterThan(1);
  });

  it.each<[string, (scan: Scan) => Promise<void>]>([
    [
      'keys',
      async (scan) => {
        for await (const { key } of scan) if (key === 'k/022') break;
      },
    ],
    [
      'pages',
      async (scan) => {
        for await (const { kvs } of scan.pages()) if (kvs[0]?.key === 'k/020') break;
      },
    ],
  ])('calls the page back when the loop over its %s is left', async (_of, leave) => {
    const { kv, rpc } = fakeKv();
    const held = new HeldPage(rpc);
    const { signal } = new AbortController();

    await leave(kv.scan(prefix('k/'), { ...PAGES_OF_TEN, signal }));
    await settle();

    expect(held.isCalledBack).toBe(true);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(rpc.calls).toHaveLength(4);
  });

  it('throws what the page failed with at the key that needs it, and nowhere before', async () => {
    const { kv, rpc } = fakeKv();
    const held = new HeldPage(rpc);
    const lost = new EtcdUnavailableError('the connection broke');
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);

    const keys: string[] = [];
    const reading = (async () => {
      for await (const { key } of kv.scan(prefix('k/'), PAGES_OF_TEN)) {
        if (keys.push(key) === 25) held.fail(lost);
        await settle();
      }
    })();

    await expect(reading).rejects.toBe(lost);
    process.off('unhandledRejection', note);
    expect(keys).toEqual(KEYS.slice(0, 30));
    expect(unhandled).toEqual([]);
  });

  it.each(['before', 'after'] as const)(
    'ends with EtcdAbortedError when the signal aborts %s the page is there',
    async (when) => {
      const { kv, rpc } = fakeKv();
      const held = new HeldPage(rpc);
      const controller = new AbortController();

      const keys: string[] = [];
      const reading = (async () => {
        for await (const { key } of kv.scan(prefix('k/'), { ...PAGES_OF_TEN, signal: controller.signal })) {
          keys.push(key);
          if (key !== 'k/022') continue;
          if (when === 'after') held.answer();
          await settle();
          controller.abort('enough');
        }
      })();

      await expect(reading).rejects.toMatchObject({ code: 'ETCD_ABORTED', cause: 'enough' });
      expect(keys).toEqual(KEYS.slice(0, 30));
      expect(held.isCalledBack).toBe(when === 'before');
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    },
  );

  it('does not count the time its reader takes', async () => {
    const { kv, rpc, clock } = fakeKv();
    const held = new HeldPage(rpc);

    const keys: string[] = [];
    for await (const { key } of kv.scan(prefix('k/'), { ...PAGES_OF_TEN, timeoutMs: 300 })) {
      if (keys.push(key) === 25) held.fail(new EtcdDeadlineExceededError(300, 'an answer'));
      await settle();
      if (key === 'k/029') clock.stall(60_000);
    }

    expect(keys).toEqual(KEYS);
    expect(rpc.calls[4]?.options.timeoutMs).toBe(300);
  });

  it('waits for a page no longer than it may (C1)', async () => {
    const { kv, rpc, clock } = fakeKv();
    const held = new HeldPage(rpc);
    const late = new EtcdDeadlineExceededError(300, 'an answer');
    rpc.answer(RANGE, late);

    const reading = keysOf(kv.scan(prefix('k/'), { ...PAGES_OF_TEN, timeoutMs: 300 }));
    for (let turn = 0; turn < 10; turn++) await settle();
    clock.stall(100);
    held.fail(new EtcdDeadlineExceededError(300, 'an answer'));

    await expect(reading).rejects.toBe(late);
    expect(rpc.calls[4]?.options.timeoutMs).toBe(200);
  });
});

describe('A scan by stream', () => {
  it('streams what the first page leaves, at its revision', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    rpc.onStream(RANGE_STREAM, (stream) =>
      stream.deliver(piece(KEYS.slice(40, 70)), piece(KEYS.slice(70), 'last')).end(),
    );

    expect(await keysOf(kv.scan(prefix('k/'), { keysOnly: true }))).toEqual(KEYS);
    expect(rpc.calls).toHaveLength(1);
    const [stream] = rpc.streams as RangeStream[];
    expect(stream?.sent).toMatchObject([
      { key: bytes('k/039\0'), rangeEnd: bytes('k0'), revision: 500, keysOnly: true },
    ]);
    expect(stream?.sent[0]?.limit).toBeUndefined();
    expect(stream?.isHalfClosed).toBe(true);
  });

  it('opens no stream when the first page is all there is', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc, KEYS.slice(0, 40));

    expect(await keysOf(kv.scan(prefix('k/')))).toHaveLength(40);
    expect(rpc.streams).toEqual([]);
  });

  it('asks a server without RangeStream once per client', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    withoutStream(rpc);

    await keysOf(kv.scan(prefix('k/')));
    await keysOf(kv.scan(prefix('k/')));

    expect(rpc.streams).toHaveLength(1);
  });

  it.each<[string, (stream: RangeStream) => void]>([
    ['breaks', (stream) => stream.fail(new EtcdUnavailableError('the connection broke'))],
    ['ends before its last piece', (stream) => stream.end()],
  ])('goes on by pages behind the last key, at the same revision, when it %s', async (_name, endIt) => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    rpc.onStream(RANGE_STREAM, (stream) => endIt(stream.deliver(piece(KEYS.slice(40, 70)))));

    expect(await keysOf(kv.scan(prefix('k/')))).toEqual(KEYS);
    expect(rpc.requests(RANGE)[1]).toMatchObject({ key: bytes('k/069\0'), revision: 500 });
  });

  it('tries the stream again in the next scan when it only broke', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    rpc.onStream(RANGE_STREAM, (stream) => stream.fail(new EtcdUnavailableError('the connection broke')));

    await keysOf(kv.scan(prefix('k/')));
    await keysOf(kv.scan(prefix('k/')));

    expect(rpc.streams).toHaveLength(2);
  });

  it('is closed and replaced by pages when it is silent for the time of a call (C1)', async () => {
    const { kv, rpc, clock } = fakeKv();
    serve(rpc);
    rpc.onStream(RANGE_STREAM, (stream) => void stream.deliver(piece(KEYS.slice(40, 70))));

    const reading = keysOf(kv.scan(prefix('k/'), { timeoutMs: 300 }));
    await clock.advance(299);
    const [stream] = rpc.streams;
    const wasClosed = stream?.isClosed;
    await clock.advance(1);

    expect(await reading).toEqual(KEYS);
    expect([wasClosed, stream?.isClosed]).toEqual([false, true]);
    expect(clock.pending()).toEqual([]);
  });

  it('does not count the time its reader takes', async () => {
    const { kv, rpc, clock } = fakeKv();
    serve(rpc);
    rpc.onStream(RANGE_STREAM, (stream) =>
      stream.deliver(piece(KEYS.slice(40, 70)), piece(KEYS.slice(70), 'last')).end(),
    );

    const keys: string[] = [];
    for await (const page of kv.scan(prefix('k/')).pages()) {
      await clock.advance(60_000);
      keys.push(...page.kvs.map(({ key }) => key));
    }

    expect(keys).toEqual(KEYS);
    expect(rpc.calls).toHaveLength(1);
  });

  it('is closed on the server when the loop is left', async () => {
    const { kv, rpc, clock } = fakeKv();
    serve(rpc);
    rpc.onStream(RANGE_STREAM, (stream) => void stream.deliver(piece(KEYS.slice(40, 70))));

    for await (const { key } of kv.scan(prefix('k/'))) {
      if (key === 'k/050') break;
    }

    expect(rpc.streams[0]?.isClosed).toBe(true);
    expect(clock.pending()).toEqual([]);
  });

  it('ends with EtcdAbortedError when the signal aborts', async () => {
    const { kv, rpc, clock } = fakeKv();
    serve(rpc);
    const controller = new AbortController();

    const reading = keysOf(kv.scan(prefix('k/'), { signal: controller.signal }));
    await clock.advance(1);
    expect(rpc.streams).toHaveLength(1);
    controller.abort();

    await expect(reading).rejects.toBeInstanceOf(EtcdAbortedError);
    expect(clock.pending()).toEqual([]);
  });

  it('does not hide a fault of this package', async () => {
    const { kv, rpc } = fakeKv();
    serve(rpc);
    rpc.onStream(RANGE_STREAM, (stream) => stream.fail(new TypeError('a bug')));

    await expect(keysOf(kv.scan(prefix('k/')))).rejects.toThrow('a bug');
  });
});
