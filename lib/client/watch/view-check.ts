/**
 * Finds out that a view is as new as the store although nothing changed in its range.
 *
 * It asks for progress first, which costs the server next to nothing, but is not answered while another watch of the
 * stream reads history, nor believed of older releases. Then it reads: when no key of the range was written after the
 * view's revision, and there are as many keys as in the view, nothing was written and nothing deleted.
 */
import type { Clock } from '../clock.js';
import type { KeyRange } from '../key-range.js';
import { RANGE } from '../rpc/methods.js';
import { headerOf } from '../rpc/response-header.js';
import type { Rpc } from '../rpc/rpc.js';
import type { FollowRun } from './follow.js';

/** What the check works with. */
export interface ViewCheckParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly range: KeyRange;
  readonly run: FollowRun;
  /** How many keys the view has. */
  readonly size: () => number;
  readonly revision: () => number;
}

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;
/** A read goes through the whole range on the server. */
const READ_FROM_LOOK = 3;

/** Looks again and again while somebody waits for the view. */
export class ViewCheck {
  private cancelPause: (() => void) | undefined;
  private ending: AbortController | undefined;
  private looks = 0;

  constructor(private readonly parts: ViewCheckParts) {}

  start(): void {
    if (this.ending !== undefined) return;
    this.ending = new AbortController();
    this.looks = 0;
    this.look(this.ending.signal);
  }

  stop(): void {
    this.cancelPause?.();
    this.ending?.abort();
    this.ending = undefined;
  }

  private look(signal: AbortSignal): void {
    this.looks += 1;
    this.parts.run.requestProgress();
    if (this.looks >= READ_FROM_LOOK) void this.read(signal);
    const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.looks - 1));
    this.cancelPause = this.parts.clock.after(pauseMs, () => this.look(signal), 'background');
  }

  private async read(signal: AbortSignal): Promise<void> {
    const { rpc, range, run, size, revision } = this.parts;
    if (revision() === 0) return;
    const { key, rangeEnd } = range;
    const request = { key, rangeEnd, minModRevision: revision() + 1, limit: 1, keysOnly: true };
    try {
      const answer = await rpc.unary(RANGE, request, { signal });
      if (answer.kvs.length === 0 && answer.count === size()) run.confirm(headerOf(RANGE, answer));
    } catch {
      // Whoever waits is told by the deadline; the next look may do better.
    }
  }
}
