/** A copy of the keys in memory, kept up to date by one watch, however many people look at the page. */
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { allKeys, EtcdClient, type LiveView } from 'nest-etcd';
import { PREFIX } from '../prefix.js';

@Injectable()
export class LiveKeys implements BeforeApplicationShutdown {
  readonly view: LiveView;

  constructor(etcd: EtcdClient) {
    this.view = etcd.namespace(PREFIX).watch.view(allKeys());
    // Whoever reads the view is told why it ended; before that, an outage only makes it wait.
    this.view.ready.catch(() => undefined);
  }

  /** Ends the streams of the open pages, which HTTP would otherwise wait for. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.view.close();
  }
}
