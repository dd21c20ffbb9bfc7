/** Taking the first of some keys out of the store, against others who want it, too. */
import { prefix } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import { compare } from '../kv/compare.js';
import { del } from '../kv/operations.js';
import type { Sort } from '../kv/range-request.js';
import type { ResponseHeader } from '../kv/responses.js';
import type { CallOptions } from '../rpc/rpc.js';
import { nextEvent } from './key-events.js';
import { persist } from './patience.js';
import type { Tools } from './tools.js';
import { WaitScope } from './wait-scope.js';

/** Who loses the first key goes for the next, rather than ask again. */
const CANDIDATES = 16;

/** The keys below a prefix, in an order. */
export class Claims {
  constructor(
    private readonly tools: Tools,
    private readonly start: string,
    private readonly sort: Sort,
  ) {}

  /** Takes the first key; waits for one while there is none. */
  async take(signal: AbortSignal | undefined): Promise<KeyValue> {
    const scope = new WaitScope(this.tools, 'Concurrency.Queue', signal);
    try {
      return await this.wait(scope.signal);
    } catch (error) {
      scope.check();
      throw error;
    } finally {
      scope.close();
    }
  }

  /** @returns `undefined` when there is none. */
  async tryToTake(call: CallOptions): Promise<KeyValue | undefined> {
    for (;;) {
      const { kvs } = await this.look(call);
      if (kvs.length === 0) return undefined;
      const taken = await this.claimFirst(kvs, call);
      if (taken !== undefined) return taken;
    }
  }

  private async wait(signal: AbortSignal): Promise<KeyValue> {
    for (;;) {
      const { kvs, header } = await persist(this.tools, signal, () => this.look({ signal }));
      const taken = await this.claimFirst(kvs, { signal });
      if (taken !== undefined) return taken;
      if (kvs.length > 0) continue;
      await nextEvent(this.tools, prefix(this.start), { startRevision: header.revision + 1, only: 'put', signal });
    }
  }

  private look(call: CallOptions): Promise<{ readonly kvs: readonly KeyValue[]; readonly header: ResponseHeader }> {
    return this.tools.kv.range(prefix(this.start), { ...call, limit: CANDIDATES, sort: this.sort });
  }

  private async claimFirst(kvs: readonly KeyValue[], call: CallOptions): Promise<KeyValue | undefined> {
    for (const kv of kvs) {
      const isSame = compare(kv.keyBytes).modRevision('=', kv.modRevision);
      const { succeeded } = await this.tools.kv.txn().if(isSame).then(del(kv.keyBytes)).commit(call);
      if (succeeded) return kv;
    }
    return undefined;
  }
}
