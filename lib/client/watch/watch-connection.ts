/**
 * One stream to one member, and the watches placed on it: which ID is whose, what is asked for, what comes in.
 *
 * - Watches are created without waiting for each other, under IDs chosen here, from 1 up (older servers may close watch 0
 *   over another one's refusal). A refusal names no watch: it is that of the oldest one unanswered, since etcd answers
 *   in order.
 * - Until a member has shown that it uses the chosen IDs, watches are created one at a time: etcd's own proxy gives IDs of
 *   its own, and answers in any order.
 * - A watch gets a new ID each time it is created, so that what still comes for the old one is never taken for it.
 * - A watch is cancelled only once it was answered: until then nobody knows its ID for sure.
 * - Whatever comes for an ID that is not known is dropped, and the ID cancelled, once.
 */
import { EtcdMessageTooLargeError, EtcdProtocolError, type ErrorContext, type EtcdError } from '../errors.js';
import type * as wire from '../rpc/generated/messages.js';
import { WATCH } from '../rpc/methods.js';
import type { ResponseHeader } from '../rpc/response-header.js';
import type { Duplex } from '../rpc/rpc.js';
import { toReceivedEvent, type ReceivedEvent } from './event.js';
import { Fragments } from './fragments.js';
import type { OpenWatch } from './open-watch.js';

/** The stream as the seam gives it. */
export type WatchDuplex = Duplex<wire.WatchRequest, wire.WatchResponse>;

/** Told of what happens to watches on this stream. */
export interface ConnectionOwner {
  /** The watch is in place, as of `header`; `isResumed` when it was before, on this stream or another. */
  onCreated(watch: OpenWatch, header: ResponseHeader, isResumed: boolean): void;
  /** The watch was refused, or ended by the server, as `response` says. */
  onCanceled(watch: OpenWatch, response: wire.WatchResponse): void;
  /** The reader of the watch is too far behind: it was taken off the stream. */
  onPaused(watch: OpenWatch): void;
  /** Nothing that was asked for is unanswered any more. */
  onSettled(): void;
}

/** A watch that was asked for and is not answered. */
interface Pending {
  readonly watch: OpenWatch;
  readonly id: number;
}

/** A watch that is in place. */
interface Placed {
  readonly watch: OpenWatch;
  /** The store's revision when the server had it in place on this stream. */
  readonly createdRevision: number;
  fragments: Fragments | undefined;
}

/** How many watches may be unanswered at once, where the member uses the IDs we choose. */
const MAX_PENDING = 512;

const UNKNOWN_HEADER: ResponseHeader = { clusterId: '0', memberId: '0', revision: 0, raftTerm: 0 };

/** One stream to one member. */
export class WatchConnection {
  private readonly toCreate: OpenWatch[] = [];
  private readonly pending: Pending[] = [];
  private readonly placed = new Map<number, Placed>();
  /** Cancelled here; the server's answer is still to come. */
  private readonly canceled = new Set<number>();
  private isClosed = false;
  private maxPending = 1;
  private nextId = 1;
  /** Whether an answer to a progress request says something about all watches. See {@link ./progress-trust}. */
  trustsBroadcasts = false;
  /** The member that answers. */
  memberId: string | undefined;

  constructor(
    readonly duplex: WatchDuplex,
    private readonly maxRevisionBytes: number,
    private readonly owner: ConnectionOwner,
  ) {}

  /** Asks for a watch, now or when its turn comes. */
  create(watch: OpenWatch): void {
    this.toCreate.push(watch);
    this.pump();
  }

  /** Ends a watch that is in place. */
  cancel(id: number): void {
    if (!this.placed.delete(id)) return;
    this.sendCancel(id);
  }

  requestProgress(): void {
    this.duplex.send({ progressRequest: {} });
  }

  /**
   * Takes a message in.
   *
   * @throws {EtcdProtocolError} when it makes no sense.
   */
  receive(response: wire.WatchResponse): void {
    const { watchId, header } = response;
    this.memberId ??= header?.memberId;
    if (response.created || (watchId < 0 && response.canceled)) this.onAnswer(response);
    else if (watchId < 0) this.onBroadcast(headerOf(response));
    else this.onMessage(response, this.placed.get(watchId));
  }

  /**
   * Ends the stream. Nothing more is asked on it.
   *
   * @param silence given when the member did not answer.
   */
  close(silence: string | undefined): void {
    this.isClosed = true;
    this.duplex.close(silence);
  }

  /** The context of an error that this stream's member is the cause of. */
  context(): ErrorContext {
    return { method: WATCH.label, endpoint: this.duplex.endpoint, attempts: 1 };
  }

  private pump(): void {
    while (this.pending.length < this.maxPending) {
      const watch = this.toCreate.shift();
      if (watch === undefined) return;
      if (watch.state.name === 'waiting') this.ask(watch); // Or it was closed before its turn came.
    }
  }

  private ask(watch: OpenWatch): void {
    const id = this.nextId++;
    watch.asked();
    try {
      this.duplex.send(watch.createRequest(id));
      this.pending.push({ watch, id });
    } catch (error) {
      watch.end(error as EtcdError, true); // Too large to be sent, for example.
    }
  }

  private onAnswer(response: wire.WatchResponse): void {
    const { watch, id } = this.takePending(response.watchId);
    if (!response.canceled && response.watchId === id) this.maxPending = MAX_PENDING;
    if (watch.state.name === 'creating') this.onAnswered(watch, response);
    else if (!response.canceled) this.sendCancel(response.watchId); // It was closed meanwhile.
    if (this.isClosed) return;
    this.pump();
    if (this.pending.length === 0) this.owner.onSettled();
  }

  private takePending(watchId: number): Pending {
    const byId = this.maxPending === 1 ? -1 : this.pending.findIndex(({ id }) => id === watchId);
    const [pending] = this.pending.splice(Math.max(byId, 0), 1);
    if (pending !== undefined && (byId >= 0 || watchId < 0 || this.maxPending === 1)) return pending;
    throw new EtcdProtocolError(`the server answered for watch ${watchId}, which was not asked for`, this.context());
  }

  private onAnswered(watch: OpenWatch, response: wire.WatchResponse): void {
    if (response.canceled) {
      this.owner.onCanceled(watch, response);
      return;
    }
    const header = headerOf(response);
    const isResumed = watch.wasCreated;
    this.placed.set(response.watchId, { watch, createdRevision: header.revision, fragments: undefined });
    watch.answered(response.watchId, header);
    this.owner.onCreated(watch, header, isResumed);
  }

  private onMessage(response: wire.WatchResponse, placed: Placed | undefined): void {
    if (placed === undefined) this.onStranger(response);
    else if (response.canceled) this.onCanceled(placed, response);
    else if (response.events.length > 0) this.onEvents(placed, response);
    else if (placed.fragments?.isHolding !== true) placed.watch.progress(headerOf(response));
  }

  private onCanceled({ watch }: Placed, response: wire.WatchResponse): void {
    this.placed.delete(response.watchId);
    this.owner.onCanceled(watch, response);
  }

  private onEvents(placed: Placed, response: wire.WatchResponse): void {
    const { watch } = placed;
    const events = complete(placed, response);
    if ((placed.fragments?.heldBytes ?? 0) > this.maxRevisionBytes) this.onTooLarge(response.watchId, watch);
    else if (!watch.receive(headerOf(response), events)) this.onFull(response.watchId, watch);
  }

  /** What was not taken is asked for again once the reader has caught up. */
  private onFull(id: number, watch: OpenWatch): void {
    this.cancel(id);
    watch.pause();
    this.owner.onPaused(watch);
  }

  /** One revision can be as large as the whole store: a prefix that is deleted, told with what was there before. */
  private onTooLarge(id: number, watch: OpenWatch): void {
    const limit = this.maxRevisionBytes;
    const detail = `one revision has more than ${limit} bytes of events; watch less, or without prevKv`;
    this.cancel(id);
    watch.end(new EtcdMessageTooLargeError('response', limit, detail, this.context()), true);
  }

  /**
   * The answer to a progress request is about all watches, but not about one that was created after it was given: that
   * may still read history. The store was further by then than when such a watch was created, which tells them apart.
   */
  private onBroadcast(header: ResponseHeader): void {
    if (!this.trustsBroadcasts) return;
    for (const { watch, createdRevision, fragments } of this.placed.values()) {
      if (header.revision > createdRevision && fragments?.isHolding !== true) watch.progress(header);
    }
  }

  private onStranger({ watchId, canceled }: wire.WatchResponse): void {
    if (canceled) this.canceled.delete(watchId);
    else if (!this.canceled.has(watchId)) this.sendCancel(watchId);
  }

  private sendCancel(watchId: number): void {
    this.canceled.add(watchId);
    this.duplex.send({ cancelRequest: { watchId } });
  }
}

/** The events that are complete by now: all of them, unless the answer is one piece of several. */
function complete(placed: Placed, { events, fragment }: wire.WatchResponse): readonly ReceivedEvent[] {
  const { keys } = placed.watch.spec;
  const received = events.map((event) => toReceivedEvent(event, keys));
  if (!fragment && placed.fragments?.isHolding !== true) return received;
  placed.fragments ??= new Fragments();
  return placed.fragments.add(received, fragment);
}

function headerOf({ header }: wire.WatchResponse): ResponseHeader {
  return header ?? UNKNOWN_HEADER;
}
