/** C4, C8: a name with several addresses: the first that speaks HTTP/2 is used, and nothing is left of the others. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import dns from 'node:dns';
import { once } from 'node:events';
import { createServer as createHttp2Server, type ClientHttp2Session } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { parseEndpoint } from '../../../lib/client/endpoint.js';
import { Dialer } from '../../../lib/client/transport/http2/dialer.js';
import { eventually } from '../../support/eventually.js';
import { FakeClock } from '../../support/fake-clock.js';
import { freePorts } from '../../support/index.js';

type Lookup = typeof dns.promises.lookup;

const HOST = 'etcd.test';
const NEXT_ADDRESS_AFTER_MS = 250;
/** The first that a server of HTTP/2 says. */
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

const genuine = dns.promises.lookup;
let clock: FakeClock;
let port: number;
let servers: TestServer[];

beforeEach(async () => {
  clock = new FakeClock();
  servers = [];
  [port] = (await freePorts(1)) as [number];
});

afterEach(async () => {
  dns.promises.lookup = genuine;
  for (const server of servers) await server.stop();
});

/** A server on one address of the name. */
class TestServer {
  readonly sockets: Socket[] = [];

  constructor(private readonly server: Server) {
    server.on('connection', (socket: Socket) => {
      this.sockets.push(socket);
      socket.on('error', () => undefined);
    });
    servers.push(this);
  }

  async listen(address: string): Promise<this> {
    this.server.listen(port, address);
    await once(this.server, 'listening');
    return this;
  }

  /** Its first connection, waited for. */
  socket(): Promise<Socket> {
    return eventually(() => this.sockets[0], { what: 'a connection', everyMs: 2 });
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((closed) => this.server.close(closed));
  }
}

const speaking = (address: string): Promise<TestServer> => new TestServer(createHttp2Server()).listen(address);
/** Takes connections, and says nothing. */
const silent = (address: string): Promise<TestServer> =>
  new TestServer(createServer((socket) => void socket.resume())).listen(address);

/** What the name leads to from now on. */
function resolvesTo(...addresses: readonly string[]): void {
  answerLookups(() =>
    Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))),
  );
}

function answerLookups(answer: () => Promise<unknown>): void {
  dns.promises.lookup = answer as unknown as Lookup;
}

interface Dialling {
  readonly dialer: Dialer;
  /** What has been told so far. */
  readonly told: string[];
  /** The first thing that is told: the address that is used, or why none is. */
  readonly outcome: Promise<string>;
}

function dial(host = HOST): Dialling {
  const told: string[] = [];
  let dialer!: Dialer;
  const outcome = new Promise<string>((resolve) => {
    const tell = (event: string): void => {
      told.push(event);
      resolve(event);
    };
    dialer = new Dialer(parseEndpoint(`http://${host}:${port}`, 'endpoint'), undefined, clock, {
      onOpen: (session, socket) => {
        tell(addressOf(session));
        session.destroy();
        socket.destroy();
      },
      onFailed: (failures) => tell(`failed: ${failures.map(String).join('; ')}`),
    });
  });
  return { dialer, told, outcome };
}

function addressOf(session: ClientHttp2Session): string {
  return String(session.socket.remoteAddress);
}

describe('A name with several addresses', () => {
  it('is reached at its first one, and the others are left alone', async () => {
    const other = await speaking('127.0.0.2');
    await speaking('127.0.0.1');
    resolvesTo('127.0.0.1', '127.0.0.2');

    expect(await dial().outcome).toBe('127.0.0.1');
    expect(other.sockets).toEqual([]);
    expect(clock.pending()).toEqual([]);
  });

  it('is reached at once at the second one, when the first refuses', async () => {
    await speaking('127.0.0.2');
    resolvesTo('127.0.0.1', '127.0.0.2');

    expect(await dial().outcome).toBe('127.0.0.2');
    expect(clock.now()).toBe(0);
  });

  it('is reached at the second one when the first is silent, after 250 ms and not before', async () => {
    const first = await silent('127.0.0.1');
    const second = await speaking('127.0.0.2');
    resolvesTo('127.0.0.1', '127.0.0.2');
    const { outcome } = dial();
    const abandoned = await first.socket();

    await clock.advance(NEXT_ADDRESS_AFTER_MS - 1);
    const early = clock.pending();
    await clock.advance(1);

    expect(early).toEqual([1]);
    expect(await outcome).toBe('127.0.0.2');
    expect(second.sockets).toHaveLength(1);
    await eventually(() => abandoned.closed, { what: 'the end of the other attempt', everyMs: 2 });
    expect(clock.pending()).toEqual([]);
  });

  it('is still reached at the first one, when that was only slow', async () => {
    const sockets: Socket[] = [];
    const slow = await new TestServer(createServer((socket) => sockets.push(socket))).listen('127.0.0.1');
    const other = await silent('127.0.0.2');
    resolvesTo('127.0.0.1', '127.0.0.2');
    const { outcome } = dial();
    await slow.socket();
    await clock.advance(NEXT_ADDRESS_AFTER_MS);
    const abandoned = await other.socket();

    sockets[0]!.write(EMPTY_SETTINGS);

    expect(await outcome).toBe('127.0.0.1');
    await eventually(() => abandoned.closed, { what: 'the end of the other attempt', everyMs: 2 });
  });

  it('that all refuse fails once, with the reason of each, the families in turn', async () => {
    resolvesTo('127.0.0.1', '127.0.0.2', '127.0.0.3', '::1');

    const { outcome, told } = dial();
    const reasons = (await outcome).replace('failed: ', '').split('; ');

    expect(reasons).toEqual([
      `connect ECONNREFUSED 127.0.0.1:${port}`,
      expect.stringContaining(`::1:${port}`),
      `connect ECONNREFUSED 127.0.0.2:${port}`,
      `connect ECONNREFUSED 127.0.0.3:${port}`,
    ]);
    expect(told).toHaveLength(1);
    expect(clock.pending()).toEqual([]);
  });

  it('does not fail while one of them may still answer', async () => {
    const hanging = await silent('127.0.0.1');
    resolvesTo('127.0.0.1', '127.0.0.2');
    const { dialer, told } = dial();
    const socket = await hanging.socket();
    await clock.advance(NEXT_ADDRESS_AFTER_MS);
    resolvesTo('127.0.0.2');
    const refused = await dial().outcome; // by then the refusal of the first attempt is here as well
    const before = [...told];

    socket.destroy();

    expect(refused).toMatch(/ECONNREFUSED 127\.0\.0\.2/);
    expect(before).toEqual([]);
    await eventually(() => told.length > 0, { everyMs: 2 });
    expect(told).toEqual([`failed: connect ECONNREFUSED 127.0.0.2:${port}; undefined`]);
    dialer.close();
  });

  it('that cannot be looked up fails with the reason', async () => {
    answerLookups(() => Promise.reject(new Error(`getaddrinfo ENOTFOUND ${HOST}`)));

    expect(await dial().outcome).toBe(`failed: getaddrinfo ENOTFOUND ${HOST}`);
  });
});

describe('An address', () => {
  it('is not looked up', async () => {
    await speaking('127.0.0.1');
    answerLookups(() => Promise.reject(new Error('nobody should ask')));

    expect(await dial('127.0.0.1').outcome).toBe('127.0.0.1');
  });
});

describe('close()', () => {
  it('while the name is looked up leaves no socket (C8)', async () => {
    const server = await speaking('127.0.0.1');
    let found!: (addresses: readonly dns.LookupAddress[]) => void;
    answerLookups(() => new Promise((resolve) => (found = resolve)));
    const { dialer, told } = dial();

    dialer.close();
    found([{ address: '127.0.0.1', family: 4 }]);
    const control = await dial('127.0.0.1').outcome;

    expect(control).toBe('127.0.0.1');
    expect(server.sockets).toHaveLength(1);
    expect(told).toEqual([]);
    expect(clock.pending()).toEqual([]);
  });

  it('while addresses are dialled leaves no socket and no timer (C8)', async () => {
    const first = await silent('127.0.0.1');
    const second = await silent('127.0.0.2');
    resolvesTo('127.0.0.1', '127.0.0.2', '127.0.0.3');
    const { dialer, told } = dial();
    const sockets = [await first.socket()];
    await clock.advance(NEXT_ADDRESS_AFTER_MS);
    sockets.push(await second.socket());

    dialer.close();

    await eventually(() => sockets.every((socket) => socket.closed), { what: 'the end of both', everyMs: 2 });
    expect(told).toEqual([]);
    expect(clock.pending()).toEqual([]);
  });

  it('after it has failed does nothing', async () => {
    resolvesTo('127.0.0.1');
    const { dialer, told, outcome } = dial();
    await outcome;

    dialer.close();

    expect(told).toHaveLength(1);
  });
});
