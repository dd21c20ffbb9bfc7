/** The interceptor that counts and times RPCs. */
import type { EtcdInterceptor } from '../client/index.js';
import { grpcCodeOf } from './grpc-code.js';
import { resolveMetricsOptions, type EtcdMetricsOptions } from './metrics-options.js';
import { recorderOf } from './rpc-metrics.js';

/**
 * Counts and times the RPCs of the clients it is given to. `EtcdMetricsModule` gives it to all clients of a Nest app;
 * by itself it serves a client that is made without Nest.
 *
 * `grpc_client_started_total`, `grpc_client_handled_total`, `grpc_client_handling_seconds`,
 * `grpc_client_msg_sent_total` and `grpc_client_msg_received_total` have the labels of go-grpc-prometheus and `client`,
 * the client's name. Retries of a call are part of it. No key, value, user or endpoint is in a label.
 *
 * @throws {EtcdConfigError} when an option cannot work.
 * @throws {EtcdModuleError} when the registry has metrics of these names that are someone else's.
 *
 * @example
 * const etcd = new EtcdClient({ endpoints, interceptors: [etcdMetricsInterceptor({ registry })] });
 */
export function etcdMetricsInterceptor(options: EtcdMetricsOptions = {}): EtcdInterceptor {
  const recorder = recorderOf(resolveMetricsOptions(options));
  return {
    unary(call, next) {
      const tally = recorder.tallyOf(call);
      const startedAtMs = performance.now();
      tally.started += 1;
      tally.sent += 1;
      return next().then(
        (answer) => {
          tally.received += 1;
          tally.end('OK', startedAtMs);
          return answer;
        },
        (error: unknown) => {
          tally.end(grpcCodeOf(error), startedAtMs);
          throw error;
        },
      );
    },
    stream(call) {
      const tally = recorder.tallyOf(call);
      const startedAtMs = performance.now();
      tally.started += 1;
      return {
        sent: () => void (tally.sent += 1),
        received: () => void (tally.received += 1),
        ended: (error) => tally.end(grpcCodeOf(error), startedAtMs),
      };
    },
  };
}
