/** Both transports to the same end, on a real member: what is above them must not see which of them it is. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import {
  EtcdClient,
  EtcdUnavailableError,
  prefix,
  type EtcdClientOptions,
  type EtcdTransport,
} from '../../lib/client/index.js';
import { loseAnswer } from '../faults/support/behind-proxy.js';
import { failureOf } from '../support/failure.js';
import {
  CertificateAuthority,
  eventually,
  startEtcd,
  startProxy,
  type Etcd,
  type ServerCertificateOptions,
} from '../support/index.js';
import { runningMs } from '../support/running-time.js';
import { startWireServer, type WireRequest } from '../support/wire-server.js';

const PUT = '/etcdserverpb.KV/Put';
/** Time for a call to an endpoint that says nothing, and how much later than that it may end. */
const SILENT_TIMEOUT_MS = 300;
const LATER_MS = 1_000;

let etcd: Etcd;
let authority: CertificateAuthority;

beforeAll(async () => {
  etcd = await startEtcd({ own: true }); // its history is compacted
  authority = await CertificateAuthority.create();
});

afterAll(() => etcd.stop());

describe.each<EtcdTransport>(['http2', 'grpc-js'])('Over %s', (transport) => {
  let client: EtcdClient;

  beforeEach(() => {
    client = new EtcdClient({ endpoints: etcd.endpoints, transport, maxResponseBytes: 100_000 });
  });

  afterEach(() => client.close());

  it('what was put is read, also when it is large', async () => {
    const value = Buffer.alloc(90_000, transport);

    await client.kv.put(`${transport}/large`, value);

    expect(Buffer.from((await client.kv.get(`${transport}/large`))!.valueBytes).equals(value)).toBe(true);
  });

  it('a refusal of the server comes with its words', async () => {
    await expect(client.kv.put(`${transport}/leased`, 'x', { lease: '7b' })).rejects.toMatchObject({
      code: 'ETCD_LEASE_NOT_FOUND',
      outcome: 'not-applied',
    });
  });

  it('an answer that is too large is refused', async () => {
    await Promise.all(['1', '2'].map((key) => client.kv.put(`${transport}/two/${key}`, Buffer.alloc(60_000))));

    await expect(client.kv.range(prefix(`${transport}/two/`))).rejects.toMatchObject({
      code: 'ETCD_MESSAGE_TOO_LARGE',
    });
  });

  it('a call that is given up ends at once, and the connection serves the next one', async () => {
    const giveUp = new AbortController();
    await client.ready();
    const call = client.kv.put(`${transport}/given-up`, 'x', { signal: giveUp.signal });
    giveUp.abort();

    await expect(call).rejects.toMatchObject({ code: 'ETCD_ABORTED' });
    await expect(client.kv.get(`${transport}/nothing`)).resolves.toBeUndefined();
  });

  it('a watch gets its events', async () => {
    const watcher = client.watch.watch(`${transport}/watched`);
    await watcher.created;

    await client.kv.put(`${transport}/watched`, 'a');
    await client.kv.put(`${transport}/watched`, 'b');

    const seen: string[] = [];
    for await (const { kv } of watcher) {
      seen.push(kv.value);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual(['a', 'b']);
  });

  it('a watch gets its end: of the server, with the reason, and of the client (W2)', async () => {
    const { header } = await client.kv.put(`${transport}/ended`, 'a');
    await client.kv.put(`${transport}/ended`, 'b');
    await client.kv.compact(header.revision + 1);

    const late = client.watch.watch(`${transport}/ended`, { startRevision: header.revision });
    await expect(late[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'ETCD_COMPACTED' });

    const open = client.watch.watch(`${transport}/ended`);
    await open.created;
    const next = open[Symbol.asyncIterator]().next();
    await Promise.all([expect(next).rejects.toMatchObject({ code: 'ETCD_CLOSED' }), client.close()]);
  });

  it('a put whose answer is lost is not sent again, and its outcome is unknown (C2)', async () => {
    await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
    await using behind = new EtcdClient({ endpoints: proxy.endpoint, transport });
    const key = `${transport}/lost`;
    const version = async (): Promise<number | undefined> => (await etcd.gateway.get(key))?.version;

    const settled = await loseAnswer(
      { etcd, proxy, client: behind },
      () => behind.kv.put(key, 'x'),
      async () => (await version()) !== undefined,
    );

    expect(settled).toMatchObject({ status: 'rejected', reason: { outcome: 'unknown', attempts: 1 } });
    expect(await version()).toBe(1);
  });

  it('GOAWAY loses none of the writes under way, and has none sent twice (C2, C3)', async () => {
    await using server = await startWireServer();
    await using winding = new EtcdClient({ endpoints: server.endpoint, transport });
    let open!: (answer: object) => void;
    const door = new Promise<object>((resolve) => (open = resolve));
    server.on(PUT, ({ session }) => (session === 1 ? door : {}));
    const put = (...names: string[]): Promise<unknown>[] => names.map((name) => winding.kv.put(name, 'x'));
    const begun = put('a', 'b', 'c');
    await eventually(() => server.requests.length === begun.length, { what: 'the writes on the first connection' });

    server.goAway();
    const onTheirWay = put('d', 'e', 'f'); // leave before the client has heard of it
    await Promise.all(onTheirWay);
    open({});
    await Promise.all(begun);

    const arrived = server.requestsTo(PUT).map(({ session, message }) => `${session}${nameIn(message)}`);
    expect(arrived.sort()).toEqual(['1a', '1b', '1c', '2d', '2e', '2f']);
  });

  it.each(['http', 'https'])(
    'an %s endpoint that says nothing costs no time beyond what a call has (C4)',
    async (scheme) => {
      await using silent = await startSilent();
      const endpoint = `${scheme}://127.0.0.1:${silent.port}`;
      await using waiting = new EtcdClient({ endpoints: endpoint, transport });
      const startedAt = runningMs();

      const failure = failureOf(waiting.kv.get('a', { timeoutMs: SILENT_TIMEOUT_MS }));
      await eventually(() => silent.sockets.size > 0, { what: 'a connection' });
      const { message } = await failure;

      expect(runningMs() - startedAt).toBeLessThan(SILENT_TIMEOUT_MS + LATER_MS);
      expect(message).toContain(endpoint);
      await waiting.close();
      await eventually(() => silent.sockets.size === 0, { what: 'the end of the connection', timeoutMs: 5_000 });
    },
  );

  describe('an endpoint with TLS and an address for a host', () => {
    /** A read from a server that shows such a certificate. */
    async function read(certificate: ServerCertificateOptions, tls: EtcdClientOptions['tls']): Promise<unknown> {
      await using server = await startWireServer({ tls: await authority.issueServer(certificate) });
      await using secure = new EtcdClient({ endpoints: server.endpoint, transport, ...(tls && { tls }) });
      return await secure.kv.range('a');
    }

    it('is accepted with a certificate for the address, of an authority that is trusted (C6)', async () => {
      const certificate = { dnsNames: [], ips: ['127.0.0.1'] };

      await expect(read(certificate, { ca: authority.ca })).resolves.toMatchObject({ kvs: [] });
    });

    it('is refused with a certificate of another authority, in words about it (C6)', async () => {
      const { ca } = await CertificateAuthority.create();

      const error = await failureOf(read({ ips: ['127.0.0.1'] }, { ca }));

      expect(error).toBeInstanceOf(EtcdUnavailableError);
      expect(error.message).toMatch(/certificate/i);
    });

    it('is refused with a certificate for a name and other addresses, in words about the address (C6)', async () => {
      const certificate = { dnsNames: ['localhost'], ips: ['127.0.0.2'] };

      const error = await failureOf(read(certificate, { ca: authority.ca }));

      expect(error).toBeInstanceOf(EtcdUnavailableError);
      expect(error.message).toMatch(/certificate.*127\.0\.0\.1/i);
    });
  });
});

/** Takes connections, and never says a word on them. */
interface Silent extends AsyncDisposable {
  readonly port: number;
  /** Those that are open. */
  readonly sockets: ReadonlySet<Socket>;
}

async function startSilent(): Promise<Silent> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.resume();
    socket.on('error', () => undefined); // a client may end a connection in any way
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const end = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: (server.address() as AddressInfo).port, sockets, [Symbol.asyncDispose]: end };
}

function nameIn({ key }: WireRequest['message']): string {
  return Buffer.from(key as Uint8Array).toString();
}
