/** How many reads may share a transaction: as the server allows, and as the answers seen lately let expect. */
import { EtcdMessageTooLargeError, EtcdTooManyOperationsError } from '../errors.js';

/** What the answer to a transaction should weigh at most: no more than a page of a scan. */
const BATCH_BYTES = 1024 * 1024;
/** What a limit on answers is taken for when the refusal does not name it. */
const UNKNOWN_LIMIT_BYTES = 64 * 1024 * 1024;

/** Learns how wide transactions may be. */
export class BatchWidth {
  private bytesPerRead = 0;

  /** @param most operations that a transaction may have, as far as it is known. */
  constructor(private most: number) {}

  /** How many reads the next transaction may have; 1 when it is not worth waiting for others. */
  get reads(): number {
    const fitting = Math.floor(BATCH_BYTES / Math.max(1, this.bytesPerRead));
    return Math.max(1, Math.min(this.most, fitting));
  }

  /** Takes note of an answer: at once when answers grow, little by little when they shrink. */
  answered(bytes: number, reads: number): void {
    const mean = bytes / reads;
    this.bytesPerRead = Math.max(mean, (this.bytesPerRead + mean) / 2);
  }

  /** Takes note of a transaction that was refused as a whole. */
  refused(error: unknown, reads: number): void {
    const isTooLarge = error instanceof EtcdMessageTooLargeError;
    if (isTooLarge && error.what === 'response') {
      this.bytesPerRead = Math.max(this.bytesPerRead, (error.limitBytes ?? UNKNOWN_LIMIT_BYTES) / reads);
    } else if (isTooLarge || error instanceof EtcdTooManyOperationsError) {
      this.most = Math.max(1, Math.min(this.most, Math.floor(reads / 2))); // an older one may be refused later
    }
  }
}
