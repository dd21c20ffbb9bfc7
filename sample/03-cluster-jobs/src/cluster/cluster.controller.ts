/** `GET /cluster`: what the page shows; `GET /cluster/events`: the same as server-sent events, whenever it changes. */
import { Controller, Get, type MessageEvent, Sse } from '@nestjs/common';
import { distinctUntilChanged, map, type Observable, takeUntil, timer } from 'rxjs';
import { type ClusterState, ClusterView } from './cluster-view.js';

const LOOK_EVERY_MS = 100;

@Controller('cluster')
export class ClusterController {
  constructor(private readonly view: ClusterView) {}

  @Get()
  state(): ClusterState {
    return this.view.state;
  }

  @Sse('events')
  events(): Observable<MessageEvent> {
    return timer(0, LOOK_EVERY_MS).pipe(
      map(() => JSON.stringify(this.view.state)),
      distinctUntilChanged(),
      map((data) => ({ type: 'state', data })),
      takeUntil(this.view.ending),
    );
  }
}
