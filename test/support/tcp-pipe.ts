/** One direction of one connection through the proxy: takes what the source sends and hands it on, in order. */
import { type Socket } from 'node:net';
// the clock and the timers are not the globals, which a test may have replaced by fakes
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';

/** What the proxy keeps for a connection before it lets the sender feel that nothing gets through. */
const QUEUE_LIMIT_BYTES = 1024 * 1024;
const SLICES_PER_SECOND = 100;
/** How far a throttled direction may catch up after a timer came late. */
const CATCH_UP_MS = 50;

/** What a direction does to the bytes in it; shared by all connections, changed by the proxy only. */
export interface Conditions {
  held: boolean;
  delayMs: number;
  jitterMs: number;
  /** For each connection; `Infinity` for as fast as it goes. */
  bytesPerSecond: number;
  /** How many bytes may still be handed on before all connections are reset. */
  budgetBytes: number;
  /** The probability with which a byte is handed on with one bit wrong. */
  flipRate: number;
}

export interface PipeSettings {
  readonly source: Socket;
  readonly target: Socket;
  readonly conditions: Conditions;
  readonly random: () => number;
  readonly onBytes: (count: number) => void;
}

/** Something on its way: bytes, the orderly end of the stream, or its reset. */
interface Parcel {
  readonly content: Buffer | 'end' | 'reset';
  readonly arrivedAt: number;
  /** Its share of the jitter, from 0 to 1. */
  readonly luck: number;
}

export class Pipe {
  private readonly parcels: Parcel[] = [];
  private queuedBytes = 0;
  private isClosed = false;
  private targetIsFull = false;
  private nextSliceAt = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly settings: PipeSettings) {
    const { source, target } = settings;
    source.on('data', (chunk: Buffer) => this.take(chunk));
    source.once('end', () => this.take('end'));
    source.once('close', () => {
      const isOrderly = source.readableEnded && source.writableFinished;
      if (!isOrderly) this.take('reset');
    });
    target.on('drain', () => {
      this.targetIsFull = false;
      this.pump();
    });
    target.once('close', () => this.close());
  }

  /** Whether bytes wait here that have not been handed on. */
  get hasBytes(): boolean {
    return this.queuedBytes > 0;
  }

  /** Hands on whatever the conditions allow now; to be called when they have changed. */
  pump(): void {
    clearTimeout(this.timer);
    for (let parcel = this.parcels[0]; parcel && this.mayGoOn(parcel); parcel = this.parcels[0]) {
      this.parcels.shift();
      if (parcel.content === 'end') this.settings.target.end();
      else if (parcel.content === 'reset') this.settings.target.resetAndDestroy();
      else this.deliver(parcel.content, parcel);
    }
  }

  /** Hands nothing on any more. */
  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.parcels.length = 0;
    this.queuedBytes = 0;
    this.settings.source.resume(); // what still comes is read and forgotten, so that the end is noticed
  }

  private take(content: Parcel['content']): void {
    if (this.isClosed) return;
    this.parcels.push({ content, arrivedAt: performance.now(), luck: this.settings.random() });
    if (typeof content !== 'string') this.queuedBytes += content.length;
    if (this.queuedBytes > QUEUE_LIMIT_BYTES) this.settings.source.pause();
    this.pump();
  }

  private mayGoOn({ arrivedAt, luck }: Parcel): boolean {
    const { held, delayMs, jitterMs, bytesPerSecond } = this.settings.conditions;
    if (held || this.targetIsFull) return false;
    const dueAt = arrivedAt + delayMs + jitterMs * luck;
    const sliceAt = bytesPerSecond === Infinity ? 0 : this.nextSliceAt;
    const waitMs = Math.max(dueAt, sliceAt) - performance.now();
    if (waitMs <= 0) return true;
    this.timer = setTimeout(() => this.pump(), Math.ceil(waitMs)).unref();
    return false;
  }

  private deliver(content: Buffer, parcel: Parcel): void {
    const { source, target, conditions, onBytes } = this.settings;
    const slice = content.subarray(0, this.sliceLimit());
    if (slice.length < content.length) this.parcels.unshift({ ...parcel, content: content.subarray(slice.length) });
    this.queuedBytes -= slice.length;
    const notBefore = Math.max(this.nextSliceAt, performance.now() - CATCH_UP_MS);
    this.nextSliceAt = notBefore + (slice.length / conditions.bytesPerSecond) * 1000;
    this.targetIsFull = !target.write(this.flipped(slice));
    if (this.queuedBytes <= QUEUE_LIMIT_BYTES) source.resume();
    onBytes(slice.length);
  }

  private flipped(slice: Buffer): Buffer {
    const { conditions, random } = this.settings;
    if (conditions.flipRate === 0) return slice;
    return Buffer.from(slice.map((byte) => (random() < conditions.flipRate ? byte ^ (1 << (random() * 8)) : byte)));
  }

  private sliceLimit(): number {
    const { bytesPerSecond, budgetBytes } = this.settings.conditions;
    return Math.min(Math.max(1, Math.floor(bytesPerSecond / SLICES_PER_SECOND)), budgetBytes);
  }
}
