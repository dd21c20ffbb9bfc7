/**
 * The stream that many watches share, across its breaks: opened when a watch needs it, opened again after a break on
 * whatever endpoint serves, closed with its last watch.
 *
 * idle -> opening -> open -> pausing -> opening ...; any -> idle when no watch is left; any -> closed, for good.
 */
import type { Clock, Random } from '../clock.js';
import {
  EtcdClosedError,
  EtcdError,
  EtcdHistoryLostError,
  EtcdMessageTooLargeError,
  EtcdProtocolError,
  EtcdUnavailableError,
} from '../errors.js';
import type * as wire from '../rpc/generated/messages.js';
import { WATCH } from '../rpc/methods.js';
import type { ResponseHeader } from '../rpc/response-header.js';
import type { Rpc } from '../rpc/rpc.js';
import { isFinal, readCancel } from './cancel-reason.js';
import { HistoryCheck } from './history-check.js';
import type { OpenWatch, WatchOwner } from './open-watch.js';
import { isTrustworthy } from './progress-trust.js';
import { Reconnect } from './reconnect.js';
import { WatchConnection, type ConnectionOwner, type WatchDuplex } from './watch-connection.js';
import type { WatchStatus } from '../watch-status.js';
import type { WatchCounters } from './watch-stats.js';

/** What a stream is made of, and whom it tells. */
export interface WatchStreamParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly random: Random;
  readonly requireLeader: boolean;
  readonly maxRevisionBytes: number;
  readonly counters: WatchCounters;
  readonly onStatus: (status: WatchStatus) => void;
  /** The last watch has ended. */
  readonly onEmpty: () => void;
}

/** One stream to one member with what hangs on it. */
interface Link {
  readonly connection: WatchConnection;
  /** Ends the questions that are asked on behalf of this stream. */
  readonly ending: AbortController;
  readonly history: HistoryCheck;
  trust: Promise<boolean> | undefined;
}

type StreamState =
  /** No watch needs a stream. */
  | { readonly name: 'idle' }
  /** The stream has not answered yet. */
  | { readonly name: 'opening'; readonly link: Link; readonly cancelTimer: () => void }
  | { readonly name: 'open'; readonly link: Link; readonly cancelTimer: () => void }
  /** The stream broke; the next one is opened after a pause. */
  | { readonly name: 'pausing'; readonly cancelTimer: () => void }
  | { readonly name: 'closed' };

/** A member that takes the stream and then does not answer for this long, or twice it, is left. */
const ANSWER_MS = 5_000;
/** How often watches are told how far they have come, so that quiet ones outlive a compaction. */
const PROGRESS_EVERY_MS = 60_000;

/** The stream that many watches share. */
export class WatchStream implements WatchOwner, ConnectionOwner {
  private readonly watches = new Set<OpenWatch>();
  private readonly reconnect: Reconnect;
  private state: StreamState = { name: 'idle' };
  /** Since when watches are without a stream; `undefined` while they have one. */
  private brokenAt: number | undefined;

  constructor(private readonly parts: WatchStreamParts) {
    this.reconnect = new Reconnect(parts.clock, parts.random);
  }

  /** The watches that have not ended. */
  get open(): ReadonlySet<OpenWatch> {
    return this.watches;
  }

  /** Whether there is a stream that answered. */
  get isOpen(): boolean {
    return this.state.name === 'open';
  }

  /** Takes a watch that is to be placed. */
  add(watch: OpenWatch): void {
    this.watches.add(watch);
    this.place(watch);
  }

  /** Asks how far the watches have come, now. */
  requestProgress(): void {
    if (this.state.name === 'open') void this.askProgress(this.state.link);
  }

  /** Ends all watches, for good. */
  close(error: EtcdError): void {
    this.leave();
    this.enter({ name: 'closed' });
    this.endAll(error, false);
  }

  onProgressWanted(): void {
    this.requestProgress();
  }

  onRoom(watch: OpenWatch): void {
    this.parts.onStatus({ type: 'watch-continued' });
    this.place(watch);
  }

  onEnded(watch: OpenWatch, id: number | undefined): void {
    this.watches.delete(watch);
    if (id !== undefined) this.link?.connection.cancel(id);
    if (this.watches.size > 0) return;
    this.leave();
    if (this.state.name !== 'closed') this.enter({ name: 'idle' });
    this.brokenAt = undefined;
    this.parts.onEmpty();
  }

  onCreated(watch: OpenWatch, header: ResponseHeader, isResumed: boolean): void {
    this.reconnect.accepted();
    if (isResumed) this.parts.counters.resumes += 1;
    const { clusterId, revision } = header;
    const { heardRevision } = watch.resume;
    const isKnown = clusterId === '0' || watch.isOf(clusterId); // A proxy may leave it out.
    if (isKnown && heardRevision > revision) this.link?.history.doubt(watch);
    if (isKnown) return;
    const context = this.link?.connection.context() ?? {};
    watch.end(new EtcdHistoryLostError('other-cluster', heardRevision, revision, context), true);
  }

  onCanceled(watch: OpenWatch, response: wire.WatchResponse): void {
    const { link } = this;
    if (link === undefined) return;
    const { connection } = link;
    const { error, fate } = readCancel(response, connection.context());
    const isOfStream = fate === 'token' || fate === 'refused';
    const mayHelp = isOfStream ? connection.duplex.refused(response.cancelReason) : fate === 'interrupted';
    if (mayHelp && this.reconnect.refused()) this.onBreak(error);
    else watch.end(error, true);
  }

  onPaused({ queue }: OpenWatch): void {
    this.parts.counters.pauses += 1;
    this.parts.onStatus({ type: 'watch-paused', bufferedRevisions: queue.revisions, bufferedBytes: queue.bytes });
  }

  onSettled(): void {
    if (this.brokenAt === undefined) return;
    const downMs = Math.round(this.parts.clock.now() - this.brokenAt);
    this.brokenAt = undefined;
    const { size: watches } = this.watches;
    this.parts.onStatus({ type: 'watch-resumed', watches, endpoint: this.link?.connection.duplex.endpoint, downMs });
  }

  private get link(): Link | undefined {
    return this.state.name === 'opening' || this.state.name === 'open' ? this.state.link : undefined;
  }

  private place(watch: OpenWatch): void {
    if (this.state.name === 'idle') this.connect();
    else this.link?.connection.create(watch);
  }

  /** Opens a stream and has all watches that wait created on it. */
  private connect(): void {
    let duplex: WatchDuplex;
    try {
      duplex = this.parts.rpc.duplex(WATCH, { requireLeader: this.parts.requireLeader });
    } catch (error) {
      this.onBreak(error as EtcdError);
      return;
    }
    const link = this.newLink(duplex);
    this.reconnect.opened();
    this.enter({ name: 'opening', link, cancelTimer: this.expectAnswer(link, false) });
    for (const watch of this.watches) if (watch.state.name === 'waiting') link.connection.create(watch);
    void this.read(link);
  }

  private newLink(duplex: WatchDuplex): Link {
    const { rpc, clock, maxRevisionBytes } = this.parts;
    const connection = new WatchConnection(duplex, maxRevisionBytes, this);
    return {
      connection,
      ending: new AbortController(),
      history: new HistoryCheck({ rpc, clock }),
      trust: undefined,
    };
  }

  /** The read loop: it never waits for a reader. */
  private async read(link: Link): Promise<void> {
    let error: EtcdError | undefined;
    try {
      for await (const response of link.connection.duplex) {
        if (this.link !== link) return;
        this.receive(link, response);
      }
    } catch (caught) {
      error = toEtcdError(caught);
    }
    if (this.link === link) this.onBreak(error);
  }

  private receive(link: Link, response: wire.WatchResponse): void {
    if (this.state.name === 'opening') {
      this.state.cancelTimer();
      this.reconnect.answered();
      this.enter({ name: 'open', link, cancelTimer: this.everyMinute(link) });
    }
    link.connection.receive(response);
  }

  /**
   * Until the stream has answered, its watches keep the process alive: there may be no connection that does. A member
   * that took the stream long ago and is silent is left.
   */
  private expectAnswer(link: Link, wasConnected: boolean): () => void {
    return this.parts.clock.after(ANSWER_MS, () => {
      const { endpoint } = link.connection.duplex;
      if (this.state.name !== 'opening' || this.state.link !== link) return;
      if (wasConnected) this.onSilence(endpoint);
      else this.enter({ name: 'opening', link, cancelTimer: this.expectAnswer(link, endpoint !== undefined) });
    });
  }

  /** The endpoint is told on, so that the next stream and other calls go elsewhere until it answers a probe. */
  private onSilence(endpoint: string | undefined): void {
    const text = `no answer to a watch for ${ANSWER_MS} ms`;
    this.leave(text);
    this.onBreak(new EtcdUnavailableError(text, [], { method: WATCH.label, endpoint, attempts: 1 }));
  }

  private everyMinute(link: Link): () => void {
    const again = (): void => {
      if (this.state.name !== 'open' || this.state.link !== link) return;
      this.enter({ name: 'open', link, cancelTimer: this.everyMinute(link) });
      void this.askProgress(link);
    };
    return this.parts.clock.after(PROGRESS_EVERY_MS, again, 'background');
  }

  private async askProgress(link: Link): Promise<void> {
    const { connection, ending } = link;
    const { endpoint } = connection.duplex;
    if (endpoint === undefined) return;
    link.trust ??= isTrustworthy(this.parts.rpc, endpoint, connection.memberId, ending.signal);
    connection.trustsBroadcasts = await link.trust;
    if (connection.trustsBroadcasts && this.link === link) connection.requestProgress();
  }

  /** The stream ended, or is given up. */
  private onBreak(error: EtcdError | undefined): void {
    this.leave();
    const delayMs = this.reconnect.broken();
    this.enter({ name: 'idle' });
    for (const watch of this.watches) watch.detached();
    if (error !== undefined) this.endBlamed(error);
    if (![...this.watches].some(({ state }) => state.name === 'waiting')) return;
    this.brokenAt ??= this.parts.clock.now();
    this.parts.counters.reconnects += 1;
    this.enter({ name: 'pausing', cancelTimer: this.parts.clock.after(delayMs, () => this.connect()) });
    const { size: watches } = this.watches;
    this.parts.onStatus({
      type: 'watch-reconnecting',
      watches,
      attempt: this.reconnect.attempt,
      delayMs,
      error,
    });
  }

  /** Ends the watches that would break the next stream just so. */
  private endBlamed(error: EtcdError): void {
    if (error instanceof EtcdMessageTooLargeError) this.onTooLarge(error);
    else if (isFinal(error)) this.endAll(error, !(error instanceof EtcdClosedError));
  }

  /** Nobody says whose answer it was. Watches that may have it in fragments try that; if it comes again it was another's. */
  private onTooLarge(error: EtcdMessageTooLargeError): void {
    const all = [...this.watches];
    let isNew = false;
    for (const watch of all) isNew = watch.askForFragments() || isNew;
    if (isNew) return;
    const whole = all.filter(({ spec }) => spec.fragment === false);
    for (const watch of whole.length > 0 ? whole : all) watch.end(error, true);
  }

  private endAll(error: EtcdError, keep: boolean): void {
    for (const watch of [...this.watches]) watch.end(error, keep);
  }

  /** Lets go of the stream and its timers, whatever state this is in. */
  private leave(silence?: string): void {
    const { link } = this;
    if ('cancelTimer' in this.state) this.state.cancelTimer();
    link?.history.close();
    link?.ending.abort();
    link?.connection.close(silence);
  }

  /** The only line that changes the state. */
  private enter(next: StreamState): void {
    this.state = next;
  }
}

/** What is no error of ours is a mistake of ours: it ends the watches, rather than breaking one stream after the other. */
function toEtcdError(error: unknown): EtcdError {
  if (error instanceof EtcdError) return error;
  return new EtcdProtocolError(`an answer could not be taken in: ${String(error)}`, {
    method: WATCH.label,
    cause: error,
  });
}
