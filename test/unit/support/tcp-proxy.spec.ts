/** Each fault of the TCP proxy, against a small server that sends back what it gets. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.js';

let server: Server;
let served: Socket[];
let proxy: TcpProxy;
let clients: Client[];

/** A connection through the proxy that remembers what came back and how it ended. */
class Client {
  private readonly chunks: Buffer[] = [];
  receivedBytes = 0;
  ended = false;
  error: NodeJS.ErrnoException | undefined;

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.chunks.push(chunk);
      this.receivedBytes += chunk.length;
    });
    socket.on('end', () => (this.ended = true));
    socket.on('error', (error) => (this.error = error));
  }

  static async open(): Promise<Client> {
    const client = new Client(connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true }));
    clients.push(client);
    await once(client.socket, 'connect');
    return client;
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return this.received.toString();
  }

  /** Resolves when exactly this text has come back. */
  async hears(text: string): Promise<void> {
    await eventually(() => this.text === text, { what: `"${text}"` });
  }

  async echo(text: string): Promise<void> {
    const expected = this.text + text;
    this.socket.write(text);
    await this.hears(expected);
  }

  async isReset(): Promise<void> {
    await eventually(() => this.error?.code === 'ECONNRESET', { what: 'a reset' });
  }
}

/** What the server has received over all connections, large chunks left out. */
let serverHeard: string;

beforeEach(async () => {
  [served, clients, serverHeard] = [[], [], ''];
  server = createServer({ allowHalfOpen: true }, (socket) => {
    served.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      if (chunk.length < 1000) serverHeard += chunk.toString();
    });
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await startProxy({ targetPort: (server.address() as AddressInfo).port });
});

afterEach(async () => {
  await proxy.close();
  for (const { socket } of clients) socket.destroy();
  for (const socket of served) socket.destroy();
  server.close();
});

/** Long enough for a byte to cross loopback many times; used only to see that nothing arrives. */
const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));

describe('TcpProxy', () => {
  it('passes bytes on both ways, and counts them and the connections', async () => {
    const client = await Client.open();
    await client.echo('hello');

    expect(proxy.bytes('c2s')).toBe(5);
    expect(proxy.bytes('s2c')).toBe(5);
    expect(proxy.connections).toBe(1);
    expect(proxy.openConnections).toBe(1);
  });

  it('keeps every byte of a large stream in order', async () => {
    const client = await Client.open();
    const sent = Buffer.from(Array.from({ length: 3 * 1024 * 1024 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));

    client.socket.end(sent);
    await eventually(() => client.ended, { what: 'the end of the stream' });

    expect(client.received.equals(sent)).toBe(true);
  });

  it('passes the end of one direction on and leaves the other open', async () => {
    const client = await Client.open();
    client.socket.end('last words');

    await client.hears('last words');
    await eventually(() => client.ended, { what: 'the server’s end' });
    await eventually(() => proxy.openConnections === 0, { what: 'no connection left' });
  });

  it('hands a reset of the server on to the client', async () => {
    const client = await Client.open();
    await client.echo('a');

    served[0]!.resetAndDestroy();

    await client.isReset();
  });

  it('resets a client whose server is not there', async () => {
    server.close();
    const client = await Client.open();

    await client.isReset();
  });

  it('lets a test wait for the next connection', async () => {
    const arrival = proxy.nextConnection();
    await Client.open();

    await expect(arrival).resolves.toBeUndefined();
  });

  describe('cut', () => {
    it('resets what is open and refuses new connections until mended, on the same port', async () => {
      const client = await Client.open();
      await client.echo('a');

      await proxy.cut();
      await client.isReset();
      await expect(Client.open()).rejects.toMatchObject({ code: 'ECONNREFUSED' });

      await proxy.mend();
      await (await Client.open()).echo('b');
    });

    it('can end connections in the orderly way', async () => {
      const client = await Client.open();
      await client.echo('a');

      await proxy.cut('end');

      await eventually(() => client.ended, { what: 'the end' });
      expect(client.error).toBeUndefined();
    });
  });

  describe('reset', () => {
    it('resets what is open on both sides and accepts new connections', async () => {
      const client = await Client.open();
      await client.echo('a');

      proxy.reset();

      await client.isReset();
      await eventually(() => served[0]!.destroyed, { what: 'the server’s side closed' });
      await (await Client.open()).echo('b');
    });

    it('comes after a number of bytes when asked so, and only once', async () => {
      proxy.resetAfter('s2c', 3);
      const client = await Client.open();
      client.socket.write('abcdef');
      // Node tells a reset right after data as an end
      await eventually(() => client.ended || client.error, { what: 'the connection gone' });

      expect(client.text).toBe('abc');
      await eventually(() => served[0]!.destroyed, { what: 'the server’s side closed' });
      await (await Client.open()).echo('abcdef');
    });
  });

  describe('blackHole', () => {
    it('swallows both directions while connections stay open, and lets the bytes go when mended', async () => {
      const client = await Client.open();
      await client.echo('a');

      proxy.blackHole();
      client.socket.write('b');
      served[0]!.write('c');
      await aWhile();
      expect(client.text).toBe('a');
      expect(serverHeard).toBe('a');
      expect(client.error).toBeUndefined();

      await proxy.mend();
      await eventually(() => client.text.length === 3, { what: 'the held bytes' });
      expect(serverHeard).toBe('ab');
    });

    it('accepts new connections and never tells the server of them', async () => {
      proxy.blackHole();
      const client = await Client.open();
      client.socket.write('a');
      await aWhile();
      expect(served).toHaveLength(0);

      await proxy.mend();
      await client.hears('a');
    });

    it('hides the end of a client from the server until mended', async () => {
      const client = await Client.open();
      await client.echo('a');

      proxy.blackHole();
      client.socket.resetAndDestroy();
      await eventually(() => proxy.openConnections === 0, { what: 'the client gone' });
      await aWhile();
      expect(served[0]!.destroyed).toBe(false);

      await proxy.mend();
      await eventually(() => served[0]!.destroyed, { what: 'the server told' });
    });

    it('resets the connections that lose bytes when the held ones are dropped, and no other', async () => {
      const [unlucky, quiet] = [await Client.open(), await Client.open()];
      await unlucky.echo('a');
      await quiet.echo('b');

      proxy.blackHole();
      unlucky.socket.write('lost');
      await aWhile();
      await proxy.mend({ held: 'drop' });

      await unlucky.isReset();
      await quiet.echo('still here');
      expect(serverHeard).not.toContain('lost');
    });
  });

  describe('halfOpen', () => {
    it('lets the server hear the client and the client hear nothing', async () => {
      const client = await Client.open();
      await client.echo('a');

      proxy.halfOpen();
      client.socket.write('b');
      await eventually(() => serverHeard === 'ab', { what: 'the server hearing' });
      await aWhile();
      expect(client.text).toBe('a');

      await proxy.mend();
      await client.hears('ab');
    });

    it('works the other way round', async () => {
      const client = await Client.open();
      await client.echo('a');

      proxy.halfOpen('c2s');
      client.socket.write('b');
      served[0]!.write('c');

      await client.hears('ac');
      expect(serverHeard).toBe('a');
    });
  });

  describe('hold and release', () => {
    it('keeps a direction back, also the end of the stream, and lets it go in order', async () => {
      const client = await Client.open();
      proxy.hold('s2c');
      client.socket.write('a');
      client.socket.end('b');
      await eventually(() => serverHeard === 'ab', { what: 'the server hearing' });
      await aWhile();
      expect([client.text, client.ended]).toEqual(['', false]);

      proxy.release();
      await client.hears('ab');
      await eventually(() => client.ended, { what: 'the end' });
    });

    it('loses the answer of a request that the server has had, when a reset follows', async () => {
      const client = await Client.open();
      proxy.hold('s2c');
      client.socket.write('request');
      await eventually(() => serverHeard === 'request', { what: 'the server hearing' });

      proxy.reset();

      await client.isReset();
      expect(client.text).toBe('');
    });

    it('makes the sender feel it when much is held, rather than keep it all', async () => {
      const client = await Client.open();
      proxy.hold('c2s');
      const sent = Buffer.alloc(16 * 1024 * 1024, 'x');

      const finished = new Promise<void>((resolve) => client.socket.write(sent, () => resolve()));
      await expect(Promise.race([finished, aWhile().then(() => 'waiting')])).resolves.toBe('waiting');

      proxy.release();
      await finished;
      await eventually(() => client.receivedBytes === sent.length, { what: 'all of it back' });
    });
  });

  describe('delay', () => {
    it('makes each piece late, with jitter, and keeps the order', async () => {
      const client = await Client.open();
      proxy.delay({ ms: 40, jitterMs: 30 });
      const start = performance.now();

      for (const letter of 'abcdefghij') {
        client.socket.write(letter);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await client.hears('abcdefghij');

      expect(performance.now() - start).toBeGreaterThanOrEqual(79); // there and back, less the clock's grain
    });

    it('is over at once when mended', async () => {
      const client = await Client.open();
      proxy.delay({ ms: 60_000 });
      client.socket.write('a');
      await aWhile();

      await proxy.mend();
      await client.hears('a');
    });
  });

  describe('throttle', () => {
    it('lets through so many bytes a second in small slices', async () => {
      const client = await Client.open();
      proxy.throttle({ bytesPerSecond: 20_000 });
      const start = performance.now();
      client.socket.write(Buffer.alloc(6_000, 'x'));
      await eventually(() => client.receivedBytes > 0, { what: 'the first slice', everyMs: 1 });
      expect(client.receivedBytes).toBeLessThan(6_000);
      await eventually(() => client.receivedBytes === 6_000, { what: 'all of it' });

      expect(performance.now() - start).toBeGreaterThan(200); // 300 ms, less what a late timer may catch up
    });
  });

  describe('resetOnAccept', () => {
    it('resets what is open and each new connection, which the server never sees, until mended', async () => {
      const client = await Client.open();
      await client.echo('a');

      proxy.resetOnAccept();

      await client.isReset();
      const next = connect({ port: proxy.port, host: '127.0.0.1' });
      await expect(once(next, 'end')).rejects.toMatchObject({ code: 'ECONNRESET' });
      expect(proxy.connections).toBe(2);
      expect(served).toHaveLength(1);
      await proxy.mend();
      await (await Client.open()).echo('b');
    });
  });

  describe('moveTo', () => {
    it('takes new connections to another port, and leaves the open ones', async () => {
      const client = await Client.open();
      await client.echo('a');
      const other = createServer((socket) => socket.on('error', () => undefined).end('elsewhere'));
      other.listen(0, '127.0.0.1');
      await once(other, 'listening');

      proxy.moveTo((other.address() as AddressInfo).port);

      await client.echo('b');
      await (await Client.open()).hears('elsewhere');
      other.close();
    });
  });

  describe('flip', () => {
    it('changes one bit of about so many bytes, in one direction, until mended', async () => {
      const client = await Client.open();
      const sent = Buffer.alloc(20_000, 'x');
      proxy.flip('s2c', 0.1);

      client.socket.write(sent);
      await eventually(() => client.receivedBytes === sent.length, { what: 'all of it' });

      const wrong = client.received.map((byte, index) => byte ^ sent[index]!).filter((bits) => bits !== 0);
      expect(wrong.every((bits) => Number.isInteger(Math.log2(bits)))).toBe(true);
      expect(wrong.length / sent.length).toBeCloseTo(0.1, 1);
      await proxy.mend();
      await (await Client.open()).echo('whole');
    });
  });

  it('ends all connections when it is closed, and its port is free', async () => {
    const client = await Client.open();
    await client.echo('a');

    await proxy.close();

    await client.isReset();
    expect(proxy.openConnections).toBe(0);
    await expect(Client.open()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
