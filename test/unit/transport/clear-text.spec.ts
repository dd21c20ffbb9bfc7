/** C5: credentials that go over a network without TLS are told of, once, and without a word of them (S4). */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../../lib/client/client.js';
import { parseEndpoint } from '../../../lib/client/endpoint.js';
import { resolveOptions, type EtcdAuthOptions, type EtcdTlsOptions } from '../../../lib/client/options.js';
import { tellingOfClearText } from '../../../lib/client/transport/clear-text.js';
import { DIAGNOSTICS } from '../../../lib/client/rpc/diagnostics.js';
import type { EtcdClientEvent } from '../../../lib/client/rpc/status-feed.js';
import type { Transport } from '../../../lib/client/transport/transport.js';

const AUTH: EtcdAuthOptions = { username: 'app', password: 'sesame' };
const EVENTS = { onReady: () => undefined, onDown: () => undefined };

/** What is told when these endpoints are connected to, one after the other. */
function toldOf(endpoints: readonly string[], options: { auth?: EtcdAuthOptions; tls?: EtcdTlsOptions }): string[] {
  const told: string[] = [];
  const connected: string[] = [];
  const connect = tellingOfClearText(
    ({ text }) => {
      connected.push(text);
      return {} as Transport;
    },
    resolveOptions({ endpoints: 'https://a:1', ...options }),
    (endpoint) => told.push(endpoint),
  );
  for (const endpoint of endpoints) connect(parseEndpoint(endpoint, 'endpoint'), EVENTS);
  expect(connected).toEqual(endpoints);
  return told;
}

describe('Connecting with credentials', () => {
  it('to a host without TLS is told once, however many there are', () => {
    expect(toldOf(['https://a:1', 'http://b:1', 'http://b:1', 'c:1'], { auth: AUTH })).toEqual(['http://b:1']);
  });

  it('made by a token provider too', () => {
    expect(toldOf(['b:1'], { auth: { token: () => 'sesame' } })).toEqual(['b:1']);
  });

  it.each([
    ['https://b:1', {}],
    ['b:1', { tls: {} }],
    ['http://127.0.0.1:1', {}],
    ['localhost:1', {}],
    ['unix:///run/etcd.sock', {}],
  ])('to %s with %j is not told: they are safe from the network', (endpoint, options) => {
    expect(toldOf([endpoint], { auth: AUTH, ...options })).toEqual([]);
  });
});

describe('Connecting without credentials', () => {
  it('is not told: there is nothing to be read', () => {
    expect(toldOf(['http://b:1'], {})).toEqual([]);
  });
});

describe('A client that sends its credentials in the clear', () => {
  const heard: unknown[] = [];
  const hear = (message: unknown): void => void heard.push(message);

  afterEach(() => {
    unsubscribe(DIAGNOSTICS.credentialsInTheClear, hear);
  });

  it('says so in its status and on its diagnostics channel, without the credentials', async () => {
    subscribe(DIAGNOSTICS.credentialsInTheClear, hear);
    const endpoint = 'http://192.0.2.1:2379'; // reserved for documents: nobody answers there
    const client = new EtcdClient({ endpoints: endpoint, name: 'audit', auth: AUTH });
    const status = client.status();
    const told: EtcdClientEvent[] = [];

    await client.ready({ timeoutMs: 50 }).catch(() => undefined);
    await client.close();
    for await (const event of status) told.push(event);

    expect(told.filter(({ type }) => type === 'credentials-in-the-clear')).toEqual([
      { type: 'credentials-in-the-clear', endpoint },
    ]);
    expect(heard).toEqual([{ client: 'audit', endpoint }]);
  });

  it('would have been refused with requireTls, by its options and later', () => {
    const options = { endpoints: 'https://a:1', auth: AUTH, requireTls: true };
    const client = new EtcdClient(options);
    const forbidden = 'option requireTls forbids the endpoint http://b:1, which is without TLS; write it as https://';

    expect(() => new EtcdClient({ ...options, endpoints: 'http://b:1' })).toThrow(forbidden);
    expect(() => client.setEndpoints('http://b:1')).toThrow(forbidden);
    expect(client.endpoints).toEqual(['https://a:1']);
  });
});
