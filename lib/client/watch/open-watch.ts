/**
 * One watch: what to ask the server for, where to go on after a break, and what waits for its reader.
 *
 * It outlives the streams it is placed on. Whatever is in its queue has been received: the resume point lies behind it,
 * so a break loses nothing and doubles nothing.
 */
import { EtcdAbortedError, type EtcdError } from '../errors.js';
import type * as wire from '../rpc/generated/messages.js';
import { WATCH } from '../rpc/methods.js';
import type { ResponseHeader } from '../rpc/response-header.js';
import { BatchQueue } from './batch-queue.js';
import { defer, type Deferred } from './deferred.js';
import { revisionOf, sizeOf, type ReceivedEvent, type WatchEvent } from './event.js';
import type { WatchResponse } from './response.js';
import { ResumePoint } from './resume-point.js';
import { toCreateRequest, type WatchSpec } from './watch-options.js';

/** What a watch is doing. */
export type WatchState =
  /** It is on no stream: there is none, or its turn has not come. */
  | { readonly name: 'waiting' }
  /** A stream was asked for it and has not answered. */
  | { readonly name: 'creating' }
  /** The server sends its events under this ID. */
  | { readonly name: 'active'; readonly id: number }
  /** The reader is behind: the server sends nothing until it has caught up. */
  | { readonly name: 'paused' }
  /** Nothing more is received; `error` is what the reader gets once it has read the rest. */
  | { readonly name: 'ended'; readonly error: EtcdError | undefined };

const NEXT = {
  waiting: ['creating', 'ended'],
  creating: ['active', 'waiting', 'ended'],
  active: ['waiting', 'paused', 'ended'],
  paused: ['waiting', 'ended'],
  ended: [],
} as const satisfies Record<WatchState['name'], readonly WatchState['name'][]>;

/** Whoever places the watch on streams. */
export interface WatchOwner {
  /** The reader of a paused watch has caught up: it waits to be placed. */
  onRoom(watch: OpenWatch): void;
  /** The watch has ended. `id` is what the server knows it by, if it does. */
  onEnded(watch: OpenWatch, id: number | undefined): void;
  /** Somebody wants to know now how far the watch has come. */
  onProgressWanted(): void;
}

/** Whoever reads: told that there is something to read, or that there will be nothing more. */
interface Wakeable {
  /** Whether it has read all there was, and waits for more. */
  readonly isWaiting: boolean;
  wake(): void;
}

/** One watch. */
export class OpenWatch {
  readonly resume: ResumePoint;
  readonly queue: BatchQueue;
  private current: WatchState = { name: 'waiting' };
  private createdRevision: number | undefined;
  private creation: Deferred<number> | undefined;
  private owner: WatchOwner | undefined;
  private reader: Wakeable | undefined;
  private stopListening: (() => void) | undefined;
  private isFragmented: boolean;

  /** @param clusterId the cluster that it is of, if that is known already. */
  constructor(
    readonly spec: WatchSpec,
    private clusterId?: string,
  ) {
    this.resume = new ResumePoint(spec.startRevision, spec.seenRevision);
    this.queue = new BatchQueue(spec);
    this.isFragmented = spec.fragment ?? false;
  }

  get state(): WatchState {
    return this.current;
  }

  /** Whether a server has had it in place once. */
  get wasCreated(): boolean {
    return this.createdRevision !== undefined;
  }

  /** Resolves with the store's revision when a server first had it in place; rejects when it ends before. */
  get created(): Promise<number> {
    if (this.createdRevision !== undefined) return Promise.resolve(this.createdRevision);
    if (this.current.name === 'ended') return Promise.reject(this.current.error ?? closedEarly());
    return (this.creation ??= defer<number>()).promise;
  }

  /**
   * Puts it into somebody's hands. Called once.
   *
   * @param stopListening called when it ends.
   */
  start(owner: WatchOwner, stopListening: () => void): void {
    this.owner = owner;
    this.stopListening = stopListening;
  }

  /** @param watchId the ID that the server is asked to use on its stream. */
  createRequest(watchId: number): wire.WatchRequest {
    return toCreateRequest(this.spec, {
      startRevision: this.resume.nextRevision,
      watchId,
      fragment: this.isFragmented,
    });
  }

  /** From now on large answers are asked for in fragments, if the watch may. @returns whether that is new. */
  askForFragments(): boolean {
    const isNew = this.spec.fragment === undefined && !this.isFragmented;
    this.isFragmented ||= isNew;
    return isNew;
  }

  asked(): void {
    this.enter({ name: 'creating' });
  }

  /** A server has it in place. */
  answered(id: number, { revision }: ResponseHeader): void {
    this.enter({ name: 'active', id });
    this.resume.created(revision);
    if (this.createdRevision !== undefined) return;
    this.createdRevision = revision;
    this.creation?.resolve(revision);
    this.creation = undefined;
  }

  /** Its stream is gone. */
  detached(): void {
    if (this.current.name === 'creating' || this.current.name === 'active') this.enter({ name: 'waiting' });
  }

  /**
   * Takes the events of whole revisions, as many as there is room for. A reader that waits gets all of them: it is not
   * behind, however much comes at once, and what is here already would only have to be sent again.
   *
   * @returns whether all of them were taken; the rest has to be asked for again.
   */
  receive(header: ResponseHeader, events: readonly ReceivedEvent[]): boolean {
    this.resume.hear(header.revision);
    const fresh = newEvents(events, this.resume.nextRevision);
    const isAwaited = this.reader?.isWaiting === true;
    let taken = 0;
    while (taken < fresh.length) {
      const next = endOfRevision(fresh, taken);
      if (!this.queue.reserve(bytesOf(fresh, taken, next), isAwaited)) break;
      this.resume.received(revisionOf(fresh[taken] as ReceivedEvent));
      taken = next;
    }
    this.deliver(header, taken === fresh.length ? fresh : fresh.slice(0, taken));
    return taken === fresh.length;
  }

  /** Whether this is the cluster that it is of: the first one that it hears of. */
  isOf(clusterId: string): boolean {
    this.clusterId ??= clusterId;
    return this.clusterId === clusterId;
  }

  /** Nothing up to the header's revision is missing, says the server of this watch. */
  progress(header: ResponseHeader): void {
    const { revision } = header;
    if (!this.resume.progress(revision) || !this.spec.progressNotify) return;
    this.queue.pushProgress(header);
    this.reader?.wake();
  }

  /** The reader is too far behind. */
  pause(): void {
    this.enter({ name: 'paused' });
  }

  /** A paused watch whose reader has caught up waits to be placed. */
  goOnIfRoom(): void {
    if (this.current.name !== 'paused' || !this.queue.isHalfEmpty) return;
    this.enter({ name: 'waiting' });
    this.owner?.onRoom(this);
  }

  /** @param keep whether the reader still gets what was received before it gets the end. */
  end(error: EtcdError | undefined, keep: boolean): void {
    const { current: before } = this;
    if (before.name === 'ended') return;
    this.enter({ name: 'ended', error });
    this.stopListening?.();
    if (!keep) this.queue.clear();
    this.creation?.reject(error ?? closedEarly());
    this.creation = undefined;
    this.owner?.onEnded(this, before.name === 'active' ? before.id : undefined);
    this.reader?.wake();
  }

  /** Ends it because its signal aborted. */
  abort({ reason }: AbortSignal): void {
    this.end(new EtcdAbortedError({ method: WATCH.label, cause: reason as unknown }), false);
  }

  /** Ends it at the reader's wish. */
  close(): void {
    this.end(undefined, false);
  }

  requestProgress(): void {
    this.owner?.onProgressWanted();
  }

  /** Registers the one who reads. @returns whether there was none before. */
  readBy(reader: Wakeable): boolean {
    if (this.reader !== undefined) return false;
    this.reader = reader;
    return true;
  }

  takeEvent(): WatchEvent | undefined {
    const event = this.queue.takeEvent();
    this.goOnIfRoom();
    return event;
  }

  takeResponse(): WatchResponse | undefined {
    const response = this.queue.takeResponse();
    this.goOnIfRoom();
    return response;
  }

  private deliver(header: ResponseHeader, events: readonly ReceivedEvent[]): void {
    if (events.length === 0) return;
    this.queue.push(header, events);
    this.reader?.wake();
  }

  /** The only line that changes the state. */
  private enter(next: WatchState): void {
    const allowed: readonly string[] = NEXT[this.current.name];
    if (!allowed.includes(next.name)) throw new Error(`bug: watch ${this.current.name} -> ${next.name}`);
    this.current = next;
  }
}

/** Without what a lagging member repeats. Mostly there is nothing of that, and nothing is copied. */
function newEvents(events: readonly ReceivedEvent[], nextRevision: number): readonly ReceivedEvent[] {
  let newest = nextRevision;
  for (const event of events) {
    const revision = revisionOf(event);
    if (revision < newest) return withoutOld(events, nextRevision);
    newest = revision;
  }
  return events;
}

function withoutOld(events: readonly ReceivedEvent[], nextRevision: number): readonly ReceivedEvent[] {
  let newest = nextRevision;
  return events.filter((event) => {
    const revision = revisionOf(event);
    if (revision < newest) return false;
    newest = revision;
    return true;
  });
}

function endOfRevision(events: readonly ReceivedEvent[], start: number): number {
  const revision = revisionOf(events[start] as ReceivedEvent);
  let end = start + 1;
  while (end < events.length && revisionOf(events[end] as ReceivedEvent) === revision) end += 1;
  return end;
}

function bytesOf(events: readonly ReceivedEvent[], start: number, end: number): number {
  let bytes = 0;
  for (let index = start; index < end; index++) bytes += sizeOf(events[index] as ReceivedEvent);
  return bytes;
}

function closedEarly(): EtcdError {
  return new EtcdAbortedError({ method: WATCH.label }, 'the watch was closed before the server had created it');
}
