/** Streams over the real transport: what its unit tests, which stand on a fake one, cannot show. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../lib/client/clock.js';
import { resolveOptions, type EtcdTransport } from '../../lib/client/options.js';
import { Calls } from '../../lib/client/rpc/calls.js';
import { Endpoints } from '../../lib/client/rpc/endpoints.js';
import { connectorFor } from '../../lib/client/transport/connector.js';
import { CallHeaders } from '../../lib/client/rpc/headers.js';
import { WATCH } from '../../lib/client/rpc/methods.js';
import { linearizableProbe } from '../../lib/client/rpc/probe.js';
import { startEtcd, type Etcd } from '../support/index.js';

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(() => etcd.stop());

describe.each<EtcdTransport>(['http2', 'grpc-js'])('A stream over %s', (transport) => {
  it('sends every request that was made before it was open, and at once when it was, in order', async () => {
    const options = resolveOptions({ endpoints: etcd.endpoints, transport });
    const headers = new CallHeaders();
    const common = { clock: systemClock, random: Math.random };
    const { connectTimeoutMs, maxReconnectDelayMs } = options;
    const connect = connectorFor(options, 'test', systemClock);
    const probe = linearizableProbe(headers);
    const parts = { ...common, connectTimeoutMs, maxReconnectDelayMs, connect, probe };
    const endpoints = new Endpoints(options.endpoints, parts);
    const calls = new Calls({ ...common, options, endpoints, headers, interceptors: [] });
    const ids = [1, 2, 3, 4, 5];

    for (const when of ['before it was open', 'at once']) {
      const stream = calls.duplex(WATCH);
      for (const watchId of ids) stream.send({ createRequest: { key: Buffer.from(when), watchId } });
      const answered: number[] = [];
      for await (const { watchId, created } of stream) {
        if (created) answered.push(watchId);
        if (answered.length === ids.length) break;
      }
      expect(answered).toEqual(ids);
    }

    calls.close();
    endpoints.close();
  });
});
