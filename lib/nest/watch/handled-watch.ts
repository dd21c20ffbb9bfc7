/** One watch of `@OnEtcdWatch()`: its loop, and what becomes of errors. */
import type { Logger } from '@nestjs/common';
import { EtcdCompactedError, type FollowChange } from '../../client/index.js';
import { describeError } from '../describe-error.js';
import { isSettledWithin } from '../settled-within.js';

/** A watch or a followed range. */
export interface ChangeSource extends AsyncIterable<FollowChange> {
  close(): Promise<void>;
}

/** What one watch works with. */
export interface HandledWatchParts {
  /** `Class@method`. */
  readonly label: string;
  readonly source: ChangeSource;
  readonly call: (change: FollowChange) => Promise<unknown>;
  readonly logger: Logger;
  /** Told of each call that failed. */
  readonly onFailure: () => void;
}

/** Hands changes to one handler, one by one, until it is stopped. */
export class HandledWatch {
  private readonly ended: Promise<void>;
  private isStopped = false;

  constructor(private readonly parts: HandledWatchParts) {
    this.ended = this.run();
  }

  /** No call begins after this; resolves when the one that runs has ended, or after `timeoutMs`. Never rejects. */
  async stop(timeoutMs: number): Promise<void> {
    const { source, logger, label } = this.parts;
    this.isStopped = true;
    await source.close();
    if (await isSettledWithin(this.ended, timeoutMs)) return;
    logger.warn(`${label} still runs after ${timeoutMs} ms (shutdownTimeoutMs); going on without waiting for it`);
  }

  private async run(): Promise<void> {
    try {
      for await (const change of this.parts.source) {
        if (this.isStopped) return;
        await this.handle(change);
      }
    } catch (error) {
      if (!this.isStopped) this.logEnd(error);
    }
  }

  /** Never rejects. */
  private async handle(change: FollowChange): Promise<void> {
    const { label, call, logger, onFailure } = this.parts;
    try {
      await call(change);
    } catch (error) {
      onFailure();
      const [text, stack] = describeError(error);
      logger.error(`${label} failed on the ${change.type} of revision ${change.revision}: ${text}`, stack);
    }
  }

  private logEnd(error: unknown): void {
    const { label, logger } = this.parts;
    const [text, stack] = describeError(error);
    const advice = error instanceof EtcdCompactedError ? '; with follow: true it reads the keys anew and goes on' : '';
    logger.error(`the watch of ${label} has ended, and ${label} is not called any more: ${text}${advice}`, stack);
  }
}
