/** `GET /live`: what the page shows, as server-sent events. */
import { Controller, type MessageEvent, Sse } from '@nestjs/common';
import {
  EtcdClient,
  type EtcdClientState,
  type EndpointStatus,
  fromEtcdWatch,
  type KeyValue,
  type ViewChange,
  type WatchStats,
} from 'nest-etcd';
import { ignoreElements, map, merge, type Observable, share, takeUntil, timer, endWith } from 'rxjs';
import { type Change, Changes } from './changes.js';
import { LiveKeys } from './live-keys.js';
import { type LeaseStatus, Presence } from './presence.js';

const STATUS_EVERY_MS = 500;

/** What is told again and again, beside the keys. */
interface Status {
  readonly state: EtcdClientState;
  readonly endpoints: readonly Pick<EndpointStatus, 'endpoint' | 'state'>[];
  readonly watch: WatchStats;
  readonly lease: LeaseStatus | null;
  readonly changes: readonly Change[];
}

@Controller('live')
export class LiveController {
  constructor(
    private readonly etcd: EtcdClient,
    private readonly keys: LiveKeys,
    private readonly presence: Presence,
    private readonly changes: Changes,
  ) {}

  /** Every stream begins with all keys, so that a page that reconnects is right again. It ends with the view. */
  @Sse()
  live(): Observable<MessageEvent> {
    const keys = fromEtcdWatch(() => this.keys.view).pipe(share());
    const ended = keys.pipe(ignoreElements(), endWith(true));
    const statuses = timer(0, STATUS_EVERY_MS).pipe(
      map(() => ({ type: 'status', data: this.status() })),
      takeUntil(ended),
    );
    return merge(statuses, keys.pipe(map(toMessage)));
  }

  private status(): Status {
    const { state, endpoints, watch } = { state: this.etcd.state, ...this.etcd.stats() };
    return {
      state,
      endpoints: endpoints.map((each) => ({ endpoint: each.endpoint, state: each.state })),
      watch,
      lease: this.presence.status ?? null,
      changes: this.changes.latest,
    };
  }
}

function toMessage(change: ViewChange): MessageEvent {
  const { type, revision } = change;
  if (change.type === 'reset') return { type, data: { revision, keys: change.kvs.map(toRow) } };
  if (change.type === 'put') return { type, data: { revision, ...toRow(change.kv) } };
  return { type, data: { revision, key: change.kv.key } };
}

function toRow({ key, value, modRevision, lease }: KeyValue): object {
  return { key, value, modRevision, lease: lease ?? null };
}
