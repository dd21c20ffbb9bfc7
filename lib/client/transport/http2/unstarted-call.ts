/** A call on a connection that takes no more: it only tells so, and proves that nothing was sent. */
import type { StreamListener, TransportStream } from '../transport.js';
import { unsent } from './call-status.js';

/** Ends by itself, after it was returned. */
export class UnstartedCall implements TransportStream {
  private isCancelled = false;

  constructor(reason: string, listener: StreamListener) {
    queueMicrotask(() => {
      if (!this.isCancelled) listener.onStatus(unsent(reason));
    });
  }

  cancel(): void {
    this.isCancelled = true;
  }

  send(): void {
    // There is nothing to send it on.
  }

  read(): void {
    // There is nothing to read.
  }

  halfClose(): void {
    // There is nothing to close.
  }
}
