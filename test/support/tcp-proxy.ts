/** A TCP proxy on loopback whose faults a test switches on and off: the bad network between a client and a member. */
import { once } from 'node:events';
import { createServer, Socket, type Server } from 'node:net';
import { eventually } from './eventually.js';
import { freePorts } from './etcd/ports.js';
import { Pipe, type Conditions } from './tcp-pipe.js';

/** From client to server, or from server to client. */
export type Direction = 'c2s' | 's2c';

const DIRECTIONS: readonly Direction[] = ['c2s', 's2c'];
const HEALTHY: Conditions = {
  held: false,
  delayMs: 0,
  jitterMs: 0,
  bytesPerSecond: Infinity,
  budgetBytes: Infinity,
  flipRate: 0,
};

export interface ProxyOptions {
  /** Where connections go on to, on 127.0.0.1. */
  readonly targetPort: number;
  /** Source of jitter and flips, from 0 to 1; a seeded one makes a run repeatable. @default Math.random */
  readonly random?: () => number;
}

export interface MendOptions {
  /**
   * What becomes of bytes that were held: `forward`, as a network does that was only interrupted, or `drop`, whereupon
   * the connections that have lost bytes are reset, since a stream with a hole is none. @default 'forward'
   */
  readonly held?: 'forward' | 'drop';
}

/** Starts a proxy that lets everything through. */
export async function startProxy(options: ProxyOptions): Promise<TcpProxy> {
  return eventually(() => TcpProxy.listen(options), { what: 'a port for the proxy' });
}

export class TcpProxy implements AsyncDisposable {
  private readonly links = new Set<Link>();
  private readonly conditions: Record<Direction, Conditions> = { c2s: { ...HEALTHY }, s2c: { ...HEALTHY } };
  private readonly delivered: Record<Direction, number> = { c2s: 0, s2c: 0 };
  private readonly waiting = new Set<() => void>();
  private accepted = 0;
  private dials = true;
  private resetsNew = false;
  private targetPort: number;
  private server: Server | undefined;

  private constructor(
    /** Where the proxy listens, also after {@link cut} and {@link mend}. */
    readonly port: number,
    private readonly options: ProxyOptions,
  ) {
    this.targetPort = options.targetPort;
  }

  /** @internal Use {@link startProxy}. */
  static async listen(options: ProxyOptions): Promise<TcpProxy> {
    const [port = 0] = await freePorts(1);
    const proxy = new TcpProxy(port, options);
    await proxy.open();
    return proxy;
  }

  /** `http://127.0.0.1:PORT`. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** How many connections were accepted so far. */
  get connections(): number {
    return this.accepted;
  }

  /** How many connections are open now. */
  get openConnections(): number {
    return [...this.links].filter((link) => link.isOpen).length;
  }

  /** How many bytes were handed on so far. */
  bytes(direction: Direction): number {
    return this.delivered[direction];
  }

  /** Resolves when the next connection is accepted. */
  nextConnection(): Promise<void> {
    return new Promise((resolve) => this.waiting.add(resolve));
  }

  /** Ends every connection and refuses new ones, until {@link mend}. @param how with a reset, or an orderly end. */
  async cut(how: 'reset' | 'end' = 'reset'): Promise<void> {
    const { server } = this;
    this.server = undefined;
    const closed = server ? once(server, 'close') : undefined;
    server?.close();
    this.endLinks(how);
    await closed;
  }

  /** Resets the connections that are open; new ones are accepted. */
  reset(): void {
    this.endLinks('reset');
  }

  /** Resets all connections once so many more bytes have been handed on in a direction; then all is well again. */
  resetAfter(direction: Direction, bytes: number): void {
    this.conditions[direction].budgetBytes = bytes;
  }

  /** Resets every connection, and each new one as soon as it is accepted, until {@link mend}. */
  resetOnAccept(): void {
    this.resetsNew = true;
    this.reset();
  }

  /** New connections go on to another port, as when a name or a balancer moves; those that are open stay where they are. */
  moveTo(targetPort: number): void {
    this.targetPort = targetPort;
  }

  /** Each byte of a direction arrives with one bit wrong with this probability. */
  flip(direction: Direction, flipRate: number): void {
    this.change(direction, { flipRate });
  }

  /** Nothing gets through in either direction; connections stay open, new ones are accepted and never answered. */
  blackHole(): void {
    this.dials = false;
    for (const direction of DIRECTIONS) this.hold(direction);
  }

  /** Nothing gets through in one direction, the other one works: one side talks and never hears an answer. */
  halfOpen(deadDirection: Direction = 's2c'): void {
    this.hold(deadDirection);
  }

  /** Keeps the bytes of a direction back, the end of the stream as well. */
  hold(direction: Direction): void {
    this.change(direction, { held: true });
  }

  /** Lets held bytes of both directions go, in order; other faults stay. */
  release(options: MendOptions = {}): void {
    if (options.held === 'drop') this.dropHeld();
    this.dials = true;
    for (const link of this.links) link.dial();
    for (const direction of DIRECTIONS) this.change(direction, { held: false });
  }

  /** Each piece of data arrives so much later, plus a random part up to `jitterMs`; the order stays. */
  delay({ ms, jitterMs = 0 }: { readonly ms: number; readonly jitterMs?: number }): void {
    for (const direction of DIRECTIONS) this.change(direction, { delayMs: ms, jitterMs });
  }

  /** Limits each direction of each connection, in small slices rather than in bursts. */
  throttle({ bytesPerSecond }: { readonly bytesPerSecond: number }): void {
    for (const direction of DIRECTIONS) this.change(direction, { bytesPerSecond });
  }

  /** Ends every fault: connections are accepted, and data flows as if there were no proxy. */
  async mend(options: MendOptions = {}): Promise<void> {
    this.resetsNew = false;
    this.release(options);
    for (const direction of DIRECTIONS) this.change(direction, HEALTHY);
    if (!this.server) await eventually(() => this.open(), { what: `port ${this.port} of the proxy free again` });
  }

  /** Ends the proxy and all its connections, for good. */
  async close(): Promise<void> {
    await this.cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async open(): Promise<true> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.accept(client));
    server.unref();
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.server = server;
    return true;
  }

  private accept(client: Socket): void {
    this.accepted += 1;
    const link = new Link(client, this.targetPort, (direction, source, target) => {
      const onBytes = (count: number): void => this.count(direction, count);
      const { random = Math.random } = this.options;
      return new Pipe({ source, target, conditions: this.conditions[direction], random, onBytes });
    });
    this.links.add(link);
    link.onceGone(() => this.links.delete(link));
    if (this.resetsNew) link.end('reset');
    else if (this.dials) link.dial();
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }

  private count(direction: Direction, bytes: number): void {
    this.delivered[direction] += bytes;
    const conditions = this.conditions[direction];
    conditions.budgetBytes -= bytes;
    if (conditions.budgetBytes > 0) return;
    conditions.budgetBytes = Infinity;
    this.reset();
  }

  private change(direction: Direction, conditions: Partial<Conditions>): void {
    Object.assign(this.conditions[direction], conditions);
    for (const link of this.links) link.pump();
  }

  private dropHeld(): void {
    for (const link of this.links) {
      if (link.hasBytes) link.end('reset');
    }
  }

  private endLinks(how: 'reset' | 'end'): void {
    for (const link of this.links) link.end(how);
  }
}

type MakePipe = (direction: Direction, source: Socket, target: Socket) => Pipe;

/** A client's connection and the one to the server that belongs to it. */
class Link {
  private readonly upstream = new Socket({ allowHalfOpen: true });
  private readonly pipes: readonly Pipe[];
  private dialled = false;

  constructor(
    private readonly client: Socket,
    private readonly targetPort: number,
    makePipe: MakePipe,
  ) {
    for (const socket of [client, this.upstream]) {
      socket.on('error', () => undefined); // the close that follows is handed on to the other side
      socket.unref();
    }
    client.once('close', () => {
      if (!this.dialled) this.upstream.destroy(); // the server never heard of this client
    });
    this.pipes = [makePipe('c2s', client, this.upstream), makePipe('s2c', this.upstream, client)];
  }

  get hasBytes(): boolean {
    return this.pipes.some((pipe) => pipe.hasBytes);
  }

  /** Whether the client is connected. */
  get isOpen(): boolean {
    return !this.client.destroyed;
  }

  /** Connects to the server, once. */
  dial(): void {
    if (this.dialled) return;
    this.dialled = true;
    this.upstream.setNoDelay(true);
    this.upstream.connect(this.targetPort, '127.0.0.1');
  }

  pump(): void {
    for (const pipe of this.pipes) pipe.pump();
  }

  /** @param callback called when both connections are closed: after the client's end, bytes may be held for the server. */
  onceGone(callback: () => void): void {
    let open = 2;
    for (const socket of [this.client, this.upstream]) {
      socket.once('close', () => {
        open -= 1;
        if (open === 0) callback();
      });
    }
  }

  end(how: 'reset' | 'end'): void {
    for (const pipe of this.pipes) pipe.close();
    for (const socket of [this.client, this.upstream]) {
      if (how === 'reset' && !socket.pending) socket.resetAndDestroy();
      else if (how === 'reset') socket.destroy();
      else socket.destroySoon();
    }
  }
}
