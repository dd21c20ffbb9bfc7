/** Reads of one kind on their way: those asked for in one turn of the event loop leave together. */
import { AsyncResource } from 'node:async_hooks';
import type { AbortListeners } from '../rpc/abort-listeners.js';
import type * as wire from '../rpc/generated/messages.js';
import type { RpcCallOptions } from '../rpc/rpc.js';
import { asOwnError, PendingRead } from './pending-read.js';
import { ReadBatch, type BatchParts } from './read-batch.js';
import { answerBytes, requestBytes } from './read-kind.js';

/** What a lane works with. */
export interface LaneParts extends Omit<BatchParts, 'sendAlone'> {
  readonly aborts: AbortListeners;
  /** Milliseconds for a read whose caller does not say. */
  readonly callTimeoutMs: number;
  /** The most bytes of the requests in one transaction. */
  readonly maxRequestBytes: number;
  readonly load: ReadLoad;
}

/** What the lanes of a client count together. */
export interface ReadLoad {
  /** Reads that were not sent yet, and those that are on their way with others. */
  pending: number;
}

/** Calls of one lane that are on their way at the same time: more of them make all of them dearer. */
const MAX_IN_FLIGHT = 4;
/** Milliseconds that a read waits at most for one of those to be answered, so that a slow or dead member holds up nobody. */
const MAX_WAIT_MS = 2;
/** The part of its time that a read waits at most. */
const MAX_WAIT_SHARE = 1 / 20;

/**
 * Reads of one kind.
 *
 * They leave at the end of the turn in which they were asked for, unless four calls are on their way already; then they wait
 * until one of those is answered, or 2 ms. One that is alone by then leaves as the plain call that it is.
 */
export class ReadLane {
  private queue: PendingRead[] = [];
  /** How many reads of the queue, from its start, wait for a call to be answered. */
  private held = 0;
  private inFlight = 0;
  private isTurnWatched = false;
  private alarmAt = Infinity;
  private cancelAlarm: (() => void) | undefined;
  private scope: AsyncResource | undefined;
  private readonly batchParts: BatchParts;

  constructor(private readonly parts: LaneParts) {
    this.batchParts = { ...parts, sendAlone: (read, elapsedMs) => this.sendAlone(read, elapsedMs) };
  }

  /** Reads that were not sent yet. */
  get waiting(): number {
    return this.queue.length;
  }

  /** Sends a read, with others if there are any. */
  read(request: wire.RangeRequest, options: RpcCallOptions): Promise<wire.RangeResponse> {
    return new Promise((resolve, reject) => {
      const timeoutMs = options.timeoutMs ?? this.parts.callTimeoutMs;
      const read = new PendingRead(request, options, timeoutMs, resolve, reject);
      if (this.parts.width.reads === 1 && this.queue.length === 0) return this.sendFirst(read);
      this.queue.push(read);
      this.parts.load.pending += 1;
      this.watchTurn();
    });
  }

  /** Sends all that waits, at once. */
  flush(): void {
    while (this.queue.length > 0) this.sendNext();
    this.stopWaiting();
  }

  /**
   * The end of the turn is when no promise is left to go on: answers that come together are often used to ask for more, by
   * callers who are a few promises away from here.
   */
  private watchTurn(): void {
    if (this.isTurnWatched) return;
    this.isTurnWatched = true;
    queueMicrotask(this.onMicrotask);
  }

  private readonly onMicrotask = (): void => process.nextTick(this.onTurnEnd);

  private readonly onTurnEnd = (): void => {
    this.isTurnWatched = false;
    while (this.queue.length > 0 && this.maySend()) this.sendNext();
    if (this.queue.length > 0) this.hold();
    else if (this.alarmAt < Infinity) this.stopWaiting();
  };

  /** Reads of large values leave alone, so waiting for others would gain nothing. */
  private maySend(): boolean {
    return this.inFlight < MAX_IN_FLIGHT || this.parts.width.reads === 1;
  }

  /** Has those that cannot leave yet wait for a call to end, or for the first of them to have waited long enough. */
  private hold(): void {
    const { clock, aborts } = this.parts;
    const now = clock.now();
    let alarmAt = this.alarmAt;
    for (const read of this.queue.slice(this.held)) {
      read.listen(aborts);
      alarmAt = Math.min(alarmAt, now + Math.min(MAX_WAIT_MS, read.timeoutMs * MAX_WAIT_SHARE));
    }
    this.held = this.queue.length;
    this.scope ??= new AsyncResource('EtcdReads');
    if (alarmAt < this.alarmAt) this.setAlarm(alarmAt, now);
  }

  private setAlarm(at: number, now: number): void {
    this.cancelAlarm?.();
    this.alarmAt = at;
    this.cancelAlarm = this.parts.clock.after(at - now, () => this.flush());
  }

  private stopWaiting(): void {
    this.held = 0;
    this.scope = undefined;
    this.alarmAt = Infinity;
    this.cancelAlarm?.();
    this.cancelAlarm = undefined;
  }

  /** Interceptors of the next call run where one of its reads was asked for, not where the last answer came in. */
  private readonly onCallEnd = (): void => {
    this.inFlight -= 1;
    this.scope?.runInAsyncScope(() => this.watchTurn());
  };

  private sendNext(): void {
    const reads = this.take();
    const [first] = reads;
    if (reads.length === 1 && first !== undefined) return this.sendFirst(first);
    const { aborts, load } = this.parts;
    const wanted = reads.filter((read) => read.listen(aborts));
    if (wanted.length === 0) return;
    this.inFlight += 1;
    load.pending += wanted.length;
    void new ReadBatch(wanted, this.batchParts).send().then(() => {
      load.pending -= wanted.length;
      this.onCallEnd();
    });
  }

  /** The next reads that still want an answer, as many as one call may carry. */
  private take(): readonly PendingRead[] {
    const { width, maxRequestBytes, load } = this.parts;
    const most = width.reads;
    const taken: PendingRead[] = [];
    let bytes = 0;
    let end = 0;
    for (; end < this.queue.length && taken.length < most; end++) {
      const read = this.queue[end];
      if (read === undefined || read.isSettled) continue;
      bytes += requestBytes(read.request);
      if (bytes > maxRequestBytes && taken.length > 0) break;
      taken.push(read);
    }
    this.queue = this.queue.slice(end);
    load.pending -= end;
    this.held = Math.max(0, this.held - end);
    return taken;
  }

  private sendFirst(read: PendingRead): void {
    const { rpc, lone, width } = this.parts;
    this.inFlight += 1;
    read.goAlone();
    lone.ask(rpc, read.request, read.options).then(
      (answer) => {
        width.answered(answerBytes(answer), 1);
        read.answer(answer);
        this.onCallEnd();
      },
      (error: unknown) => {
        read.fail(error);
        this.onCallEnd();
      },
    );
  }

  private sendAlone(read: PendingRead, elapsedMs: number): void {
    const { rpc, lone } = this.parts;
    const timeoutMs = Math.max(1, Math.ceil(read.timeoutMs - elapsedMs));
    read.goAlone();
    lone.ask(rpc, read.request, { ...read.options, timeoutMs, continues: true }).then(
      (answer) => read.answer(answer),
      (error: unknown) => read.fail(asOwnError(error, read.timeoutMs)),
    );
  }
}
