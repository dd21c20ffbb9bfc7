/**
 * Finds out whether a store that seems to have gone back really did.
 *
 * A member that answers with a lower revision than was seen before may just lag behind, which is harmless. But a
 * linearizable read that starts now cannot see less than what was seen before it started: if it does, the store was
 * restored from an older backup, and a watch would wait for ever for revisions that were handed out a second time.
 */
import type { Clock } from '../clock.js';
import { EtcdHistoryLostError, type EtcdError } from '../errors.js';
import { RANGE, WATCH } from '../rpc/methods.js';
import { headerOf } from '../rpc/response-header.js';
import type { Rpc } from '../rpc/rpc.js';
import { isFinal } from './cancel-reason.js';
import type { OpenWatch } from './open-watch.js';

/** What the check works with. */
export interface HistoryCheckParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
}

/** A doubt is confirmed before a watch ends over it: older servers can answer a read from before a long pause (etcd #21417). */
const LOOKS = 2;
const PAUSE_MS = 1_000;

interface Doubt {
  /** What the watch had heard of when the doubt arose. */
  readonly seenRevision: number;
  /** How often a read saw less. */
  looks: number;
}

/** Checks watches of one stream, one read for all of them. */
export class HistoryCheck {
  private readonly doubts = new Map<OpenWatch, Doubt>();
  private readonly ending = new AbortController();
  private isRunning = false;
  private cancelPause: (() => void) | undefined;

  constructor(private readonly parts: HistoryCheckParts) {}

  /** A member told this watch of a lower revision than it has heard of. */
  doubt(watch: OpenWatch): void {
    this.doubts.set(watch, { seenRevision: watch.resume.heardRevision, looks: 0 });
    if (!this.isRunning) this.look();
  }

  /** Nobody wants to know any more. */
  close(): void {
    this.doubts.clear();
    this.cancelPause?.();
    this.ending.abort();
  }

  private look(): void {
    const asked = [...this.doubts].filter(([watch]) => watch.state.name !== 'ended');
    const [first] = asked;
    this.isRunning = first !== undefined;
    if (first === undefined) return;
    this.read(first[0]).then(
      (revision) => this.onRevision(revision, asked),
      (error: unknown) => this.onFailure(error as EtcdError),
    );
  }

  /** Reads a key the watch may see; only the header counts. */
  private async read({ spec }: OpenWatch): Promise<number> {
    const { signal } = this.ending;
    const answer = await this.parts.rpc.unary(RANGE, { key: spec.range.key, countOnly: true }, { signal });
    return headerOf(RANGE, answer).revision;
  }

  private onRevision(revision: number, asked: readonly (readonly [OpenWatch, Doubt])[]): void {
    for (const [watch, doubt] of asked) {
      if (!isLost(watch, doubt, revision)) this.doubts.delete(watch);
      else if (++doubt.looks >= LOOKS) this.give(watch, doubt, revision);
    }
    this.lookAgain();
  }

  private give(watch: OpenWatch, { seenRevision }: Doubt, revision: number): void {
    this.doubts.delete(watch);
    watch.end(new EtcdHistoryLostError('revision-went-back', seenRevision, revision, { method: WATCH.label }), true);
  }

  /** A cluster that cannot be read now may be soon; one that refuses will not tell. */
  private onFailure(error: EtcdError): void {
    if (isFinal(error)) this.doubts.clear();
    this.lookAgain();
  }

  private lookAgain(): void {
    this.isRunning = this.doubts.size > 0;
    if (this.isRunning) this.cancelPause = this.parts.clock.after(PAUSE_MS, () => this.look(), 'background');
  }
}

/** A watch that has not come as far as the store is now goes on in its history, which is the same up to there. */
function isLost({ resume }: OpenWatch, { seenRevision }: Doubt, revision: number): boolean {
  return seenRevision > revision && resume.nextRevision - 1 > revision;
}
