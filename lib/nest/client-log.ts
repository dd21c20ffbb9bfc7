/** Tells Nest's log what happens to a client: endpoints and watches that come and go. No key, value or credential. */
import { Logger } from '@nestjs/common';
import type { EtcdClient, EtcdClientEvent } from '../client/index.js';
import { DEFAULT_CLIENT } from './etcd.tokens.js';

type Event<Type extends EtcdClientEvent['type']> = Extract<EtcdClientEvent, { readonly type: Type }>;

/** The logger of a client: context `Etcd`, or `Etcd:name`. */
export function loggerOf(name: string): Logger {
  return new Logger(name === DEFAULT_CLIENT ? 'Etcd' : `Etcd:${name}`);
}

/** Logs what happens to the client until it is closed. */
export async function logStatus(client: EtcdClient, logger: Logger): Promise<void> {
  const log = new ClientLog(logger);
  for await (const event of client.status()) log.on(event);
}

/** One line when something changes sides, not one for each attempt to mend it. */
export class ClientLog {
  private readonly serving = new Map<string, boolean>();

  constructor(private readonly logger: Logger) {}

  on(event: EtcdClientEvent): void {
    switch (event.type) {
      case 'endpoint':
        this.onEndpoint(event);
        break;
      case 'endpoints':
        this.logger.log(`endpoints are now ${event.endpoints.join(', ')}`);
        break;
      case 'sync-failed':
        this.logger.warn(`the member list could not be read: ${event.error.message}`);
        break;
      case 'credentials-in-the-clear':
        this.logger.warn(
          `the credentials go to ${event.endpoint} without TLS; use https://, and requireTls to be sure of it`,
        );
        break;
      case 'watch-reconnecting':
        this.onBrokenStream(event);
        break;
      case 'watch-resumed':
        this.logger.log(`${event.watches} watches go on after ${Math.round(event.downMs)} ms; nothing was lost`);
        break;
      case 'watch-paused':
        this.logger.warn(`a watch is paused: its reader is ${event.bufferedRevisions} revisions behind`);
        break;
      case 'watch-continued':
        this.logger.log('a watch that was paused goes on: its reader has caught up');
    }
  }

  private onEndpoint({ endpoint, state, reason }: Event<'endpoint'>): void {
    const serves = state === 'ready';
    const ceases = state === 'backoff' || state === 'sick';
    const served = this.serving.get(endpoint);
    if (!(serves || ceases) || served === serves) return;
    this.serving.set(endpoint, serves);
    if (serves) this.logger.log(`connected to ${endpoint}`);
    else this.logger.warn(`${served === true ? 'lost' : 'cannot use'} ${endpoint}: ${reason}; trying until it serves`);
  }

  private onBrokenStream({ attempt, watches, error }: Event<'watch-reconnecting'>): void {
    if (attempt > 1) return;
    const reason = error?.message ?? 'the server ended it';
    this.logger.warn(`the stream of ${watches} watches is gone: ${reason}; opening it until they go on`);
  }
}
