/** What a client tells of itself while it runs: plain events that a user may read, or not. */
import type { WatchStatus } from '../watch-status.js';
import type { EndpointState } from './endpoint-connection.js';

/** Something that happened to the client. Holds no key, value, user or token. */
export type EtcdClientEvent =
  /** An endpoint changed what it is doing; `reason` says why it cannot be used, when it cannot. */
  | {
      readonly type: 'endpoint';
      readonly endpoint: string;
      readonly state: EndpointState['name'];
      readonly reason: string | undefined;
    }
  /** The list of endpoints was replaced, by hand or by a sync. */
  | { readonly type: 'endpoints'; readonly endpoints: readonly string[] }
  /** A periodic sync failed; the list stays as it is. */
  | { readonly type: 'sync-failed'; readonly error: Error }
  /** User and password, or the token, go to this endpoint over a network and without TLS. Told once. See `requireTls`. */
  | { readonly type: 'credentials-in-the-clear'; readonly endpoint: string }
  /** A stream of watches broke or is whole again; a watch was paused for its reader, or goes on. */
  | WatchStatus;

/** A reader that falls this far behind loses the oldest events: they are news, not history. */
const MAX_UNREAD = 1_000;

/** Hands each event to every reader. Costs nothing while nobody reads. */
export class StatusFeed {
  private readonly readers = new Set<Reader>();
  private isClosed = false;

  publish(event: EtcdClientEvent): void {
    for (const reader of this.readers) reader.push(event);
  }

  /** A new reader, from now on. Ends with the client, or when its loop is left. */
  read(): AsyncIterableIterator<EtcdClientEvent, undefined> {
    const reader = new Reader(() => this.readers.delete(reader));
    if (this.isClosed) reader.end();
    else this.readers.add(reader);
    return reader;
  }

  close(): void {
    this.isClosed = true;
    for (const reader of [...this.readers]) reader.end();
  }
}

class Reader implements AsyncIterableIterator<EtcdClientEvent, undefined> {
  private readonly unread: EtcdClientEvent[] = [];
  private readonly waiting: ((result: IteratorResult<EtcdClientEvent, undefined>) => void)[] = [];
  private ended = false;

  constructor(private readonly onEnd: () => void) {}

  push(event: EtcdClientEvent): void {
    const wake = this.waiting.shift();
    if (wake !== undefined) return wake({ done: false, value: event });
    this.unread.push(event);
    if (this.unread.length > MAX_UNREAD) this.unread.shift();
  }

  end(): void {
    this.ended = true;
    this.onEnd();
    for (const wake of this.waiting.splice(0)) wake({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<EtcdClientEvent, undefined>> {
    const value = this.unread.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  return(): Promise<IteratorResult<EtcdClientEvent, undefined>> {
    this.unread.length = 0;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
