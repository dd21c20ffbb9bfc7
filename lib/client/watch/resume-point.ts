/**
 * Where a watch goes on after a break.
 *
 * - An event moves it to the event's revision plus one. The header of an answer with events does not: while the server
 *   sends history, that header is far ahead of what was sent.
 * - A progress notice moves it to the header's revision plus one: the server says that nothing up to there is missing.
 * - A `created` answer moves it only if no start revision was asked for: the watch begins after the header's revision.
 *   The Go client resumes at the header's revision itself, and may so deliver an event that is older than the watch.
 * - It never moves back, and what lies before it is dropped: a member that lags behind may repeat events, or tell of
 *   progress that is none.
 */
export class ResumePoint {
  private next: number;
  private heard: number;

  /**
   * @param startRevision the first revision of interest; 0 for what happens from the creation on.
   * @param heardRevision a revision that the store is known to have reached; 0 for none.
   */
  constructor(startRevision: number, heardRevision: number) {
    this.next = startRevision;
    this.heard = heardRevision;
  }

  /** The first revision that was not received; 0 for a watch without a start revision that was not created yet. */
  get nextRevision(): number {
    return this.next;
  }

  /** The highest revision of the store that a server told this watch of: proof that the store was that far once. */
  get heardRevision(): number {
    return this.heard;
  }

  /** The server has the watch in place, and the store is at `revision`. */
  created(revision: number): void {
    this.hear(revision);
    // A proxy may leave the revision out.
    if (this.next === 0 && revision > 0) this.next = revision + 1;
  }

  /** All events of this revision were received. */
  received(revision: number): void {
    this.next = Math.max(this.next, revision + 1);
    this.hear(revision);
  }

  /** Nothing up to `revision` is missing. @returns whether that is news rather than a member that lags behind. */
  progress(revision: number): boolean {
    this.hear(revision);
    if (revision + 1 < this.next) return false;
    this.next = revision + 1;
    return true;
  }

  /** The store was at `revision`, whatever was sent of it. */
  hear(revision: number): void {
    this.heard = Math.max(this.heard, revision);
  }
}
