/** The connector that the options ask for. */
import type { Clock } from '../clock.js';
import type { ResolvedOptions } from '../options.js';
import { lateConnector } from './late-transport.js';
import { http2Connector } from './http2/http2-transport.js';
import type { Connect } from './transport.js';

/** Makes the connector of a client. @param userAgent how the client calls itself towards servers. */
export function connectorFor(options: ResolvedOptions, userAgent: string, clock: Clock): Connect {
  switch (options.transport) {
    case 'http2':
      return http2Connector(options, userAgent, clock);
    case 'grpc-js':
      return lateConnector(async () => {
        const { grpcConnector } = await import('./grpc-js/grpc-transport.js');
        return grpcConnector(options, userAgent);
      });
  }
}
