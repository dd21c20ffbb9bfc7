/** What was received and not read yet, counted in revisions and bytes. */
import { sizeOf, type WatchEvent } from './event.js';
import type { WatchProgress, WatchResponse } from './response.js';

interface Limits {
  readonly maxBufferedRevisions: number;
  readonly maxBufferedBytes: number;
}

/** What was received and not read yet. */
export class BatchQueue {
  private readonly responses: WatchResponse[] = [];
  /** The next event to read, in the first response. */
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

  /** Counts a revision in if there is room for it. An empty queue takes any. */
  reserve(bytes: number): boolean {
    const { maxBufferedRevisions, maxBufferedBytes } = this.limits;
    const fits = this.revisionCount < maxBufferedRevisions && this.byteCount + bytes <= maxBufferedBytes;
    if (!fits && this.revisionCount > 0) return false;
    this.revisionCount += 1;
    this.byteCount += bytes;
    return true;
  }

  /** Adds events whose revisions were counted in. */
  push(response: WatchResponse): void {
    this.responses.push(response);
  }

  /** Adds a progress notice. One that follows another replaces it: only the newest says something. */
  pushProgress(progress: WatchProgress): void {
    if (this.responses.at(-1)?.type === 'progress') this.responses.pop();
    this.responses.push(progress);
  }

  /** The next response as a whole. */
  takeResponse(): WatchResponse | undefined {
    const response = this.responses.shift();
    if (response === undefined) return undefined;
    response.events.forEach((event, index) => this.release(event, response.events[index + 1]));
    return response;
  }

  /** The next event; progress notices are passed over. */
  takeEvent(): WatchEvent | undefined {
    for (;;) {
      const events = this.responses[0]?.events;
      if (events === undefined) return undefined;
      const event = events[this.nextEvent];
      this.nextEvent += 1;
      const following = events[this.nextEvent];
      if (following === undefined) this.dropFirst();
      if (event === undefined) continue;
      this.release(event, following);
      return event;
    }
  }

  clear(): void {
    this.responses.length = 0;
    this.nextEvent = 0;
    this.revisionCount = 0;
    this.byteCount = 0;
  }

  private dropFirst(): void {
    this.responses.shift();
    this.nextEvent = 0;
  }

  /** A revision is counted out with its last event. */
  private release(event: WatchEvent, following: WatchEvent | undefined): void {
    this.byteCount -= sizeOf(event);
    if (following?.revision !== event.revision) this.revisionCount -= 1;
  }
}
