/** What has changed of late, seen by a decorated method. */
import { Injectable, Logger } from '@nestjs/common';
import { OnEtcdWatch, prefix, type WatchEvent } from 'nest-etcd';
import { PREFIX } from '../prefix.js';

/** One change, as the page lists it. */
export interface Change {
  readonly type: 'created' | 'changed' | 'deleted';
  readonly key: string;
  readonly revision: number;
}

const MOST = 10;

@Injectable()
export class Changes {
  private readonly logger = new Logger(Changes.name);
  private changes: readonly Change[] = [];

  /** The newest first. */
  get latest(): readonly Change[] {
    return this.changes;
  }

  @OnEtcdWatch(prefix(PREFIX))
  onEvent(event: WatchEvent): void {
    const type = event.type === 'delete' ? 'deleted' : event.isCreate ? 'created' : 'changed';
    const change = { type, key: event.kv.key.slice(PREFIX.length), revision: event.revision } as const;
    this.changes = [change, ...this.changes].slice(0, MOST);
    this.logger.log(`revision ${change.revision}: ${change.type}`);
  }
}
