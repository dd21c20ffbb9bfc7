/** Tells Nest's log when an endpoint of a client begins or ceases to serve, and nothing else: no key, value or credential. */
import { Logger } from '@nestjs/common';
import type { EtcdClient, EtcdClientEvent } from '../client/index.js';
import { DEFAULT_CLIENT } from './etcd.tokens.js';

/** The logger of a client: context `Etcd`, or `Etcd:name`. */
export function loggerOf(name: string): Logger {
  return new Logger(name === DEFAULT_CLIENT ? 'Etcd' : `Etcd:${name}`);
}

/** Logs what happens to the client's endpoints until it is closed. */
export async function logEndpoints(client: EtcdClient, logger: Logger): Promise<void> {
  const log = new EndpointLog(logger);
  for await (const event of client.status()) log.on(event);
}

/** One line when an endpoint changes sides, not one for each attempt to connect. */
export class EndpointLog {
  private readonly serving = new Map<string, boolean>();

  constructor(private readonly logger: Logger) {}

  on(event: EtcdClientEvent): void {
    switch (event.type) {
      case 'endpoint':
        this.onEndpoint(event.endpoint, event.state, event.reason);
        break;
      case 'endpoints':
        this.logger.log(`endpoints are now ${event.endpoints.join(', ')}`);
        break;
      case 'sync-failed':
        this.logger.warn(`the member list could not be read: ${event.error.message}`);
    }
  }

  private onEndpoint(endpoint: string, state: string, reason: string | undefined): void {
    const serves = state === 'ready';
    const ceases = state === 'backoff' || state === 'sick';
    const served = this.serving.get(endpoint);
    if (!(serves || ceases) || served === serves) return;
    this.serving.set(endpoint, serves);
    if (serves) this.logger.log(`connected to ${endpoint}`);
    else this.logger.warn(`${served === true ? 'lost' : 'cannot use'} ${endpoint}: ${reason}; trying until it serves`);
  }
}
