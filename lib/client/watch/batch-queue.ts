/** What was received and not read yet, counted in revisions and bytes. */
import type { ResponseHeader } from '../rpc/response-header.js';
import { revisionOf, sizeOf, toWatchEvent, type ReceivedEvent, type WatchEvent } from './event.js';
import type { WatchResponse } from './response.js';

interface Limits {
  readonly maxBufferedRevisions: number;
  readonly maxBufferedBytes: number;
}

/** What was received at once. Without events it is a progress notice. */
interface Waiting {
  readonly header: ResponseHeader;
  readonly events: readonly ReceivedEvent[];
}

/** What was received and not read yet. */
export class BatchQueue {
  private readonly waiting: Waiting[] = [];
  /** The next event to read, of what was received first. */
  private nextEvent = 0;
  private revisionCount = 0;
  private byteCount = 0;

  constructor(private readonly limits: Limits) {}

  /** How many revisions wait. */
  get revisions(): number {
    return this.revisionCount;
  }

  /** About how many bytes wait. */
  get bytes(): number {
    return this.byteCount;
  }

  /** Whether the reader has caught up so far that more should be fetched. */
  get isHalfEmpty(): boolean {
    const { maxBufferedRevisions, maxBufferedBytes } = this.limits;
    return this.revisionCount * 2 <= maxBufferedRevisions && this.byteCount * 2 <= maxBufferedBytes;
  }

  /** Counts a revision in if there is room for it, or it is taken nevertheless. An empty queue takes any. */
  reserve(bytes: number, always = false): boolean {
    const { maxBufferedRevisions, maxBufferedBytes } = this.limits;
    const fits = this.revisionCount < maxBufferedRevisions && this.byteCount + bytes <= maxBufferedBytes;
    if (!fits && !always && this.revisionCount > 0) return false;
    this.revisionCount += 1;
    this.byteCount += bytes;
    return true;
  }

  /** Adds events whose revisions were counted in. */
  push(header: ResponseHeader, events: readonly ReceivedEvent[]): void {
    this.waiting.push({ header, events });
  }

  /** Adds a progress notice. One that follows another replaces it: only the newest says something. */
  pushProgress(header: ResponseHeader): void {
    if (this.waiting.at(-1)?.events.length === 0) this.waiting.pop();
    this.waiting.push({ header, events: [] });
  }

  /** The next response as a whole. */
  takeResponse(): WatchResponse | undefined {
    const first = this.waiting.shift();
    if (first === undefined) return undefined;
    first.events.forEach((event, index) => this.release(event, first.events[index + 1]));
    return toResponse(first);
  }

  /** The next event; progress notices are passed over. */
  takeEvent(): WatchEvent | undefined {
    for (;;) {
      const events = this.waiting[0]?.events;
      if (events === undefined) return undefined;
      const event = events[this.nextEvent];
      this.nextEvent += 1;
      const following = events[this.nextEvent];
      if (following === undefined) this.dropFirst();
      if (event === undefined) continue;
      this.release(event, following);
      return toWatchEvent(event);
    }
  }

  clear(): void {
    this.waiting.length = 0;
    this.nextEvent = 0;
    this.revisionCount = 0;
    this.byteCount = 0;
  }

  private dropFirst(): void {
    this.waiting.shift();
    this.nextEvent = 0;
  }

  /** A revision is counted out with its last event. */
  private release(event: ReceivedEvent, following: ReceivedEvent | undefined): void {
    this.byteCount -= sizeOf(event);
    if (following === undefined || revisionOf(following) !== revisionOf(event)) this.revisionCount -= 1;
  }
}

function toResponse({ header, events }: Waiting): WatchResponse {
  const last = events.at(-1);
  if (last === undefined) return { type: 'progress', header, revision: header.revision, events: [] };
  return { type: 'events', header, revision: revisionOf(last), events: events.map(toWatchEvent) };
}
