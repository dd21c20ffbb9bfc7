/** Joins the fragments in which a server sends a very large answer, so that no revision is ever split. */
import { revisionOf, sizeOf, type ReceivedEvent } from './event.js';

/**
 * Holds back the newest revision of the fragments so far, since the next one may add to it. Older revisions are complete
 * and go on at once: what is held is never more than one revision.
 */
export class Fragments {
  private held: ReceivedEvent[] = [];
  private bytes = 0;

  /** Whether part of a revision waits for its rest. */
  get isHolding(): boolean {
    return this.held.length > 0;
  }

  /** About how many bytes wait. */
  get heldBytes(): number {
    return this.bytes;
  }

  /**
   * Takes a piece.
   *
   * @param more whether another piece follows.
   * @returns the events of the revisions that are complete by now, in order.
   */
  add(events: readonly ReceivedEvent[], more: boolean): readonly ReceivedEvent[] {
    const start = more ? startOfLastRevision(events) : events.length;
    if (more && start === 0 && this.continues(events)) {
      this.hold(events);
      return [];
    }
    const complete = this.held.length === 0 ? events.slice(0, start) : [...this.held, ...events.slice(0, start)];
    this.held = [];
    this.bytes = 0;
    this.hold(events.slice(start));
    return complete;
  }

  /** Whether the piece, which is of one revision, belongs to what is held. */
  private continues([first]: readonly ReceivedEvent[]): boolean {
    const [held] = this.held;
    return held === undefined || first === undefined || revisionOf(held) === revisionOf(first);
  }

  private hold(events: readonly ReceivedEvent[]): void {
    for (const event of events) {
      this.held.push(event);
      this.bytes += sizeOf(event);
    }
  }
}

function startOfLastRevision(events: readonly ReceivedEvent[]): number {
  const last = events.at(-1);
  let start = events.length;
  while (last !== undefined && start > 0 && revisionOf(events[start - 1] as ReceivedEvent) === revisionOf(last))
    start -= 1;
  return start;
}
