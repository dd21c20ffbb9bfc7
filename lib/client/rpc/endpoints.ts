/** The endpoints of a client: which one serves the next call, and who waits until one can. */
import { parseEndpoint, type Endpoint } from '../endpoint.js';
import type { EndpointFailure } from '../errors.js';
import { EndpointConnection, type EndpointContext, type EndpointState } from './endpoint-connection.js';

/** Told when an endpoint can be used. */
type Waiter = () => void;

/** One endpoint as `client.status()` and health checks show it. */
export interface EndpointStatus {
  readonly endpoint: string;
  readonly state: EndpointState['name'];
  /** Why it cannot be used, when it cannot. */
  readonly reason: string | undefined;
}

/** What the endpoints need, beside what they tell themselves of. */
export type EndpointsContext = Omit<EndpointContext, 'onState'> & {
  /** Told of each change of one endpoint's state. */
  readonly onChange?: (endpoint: string, state: EndpointState, reason: string | undefined) => void;
};

/** A connection beside the list is closed when no call has asked for it for so long, and not later than after twice that. */
const OTHERS_IDLE_MS = 60_000;

/** All endpoints of a client. */
export class Endpoints {
  private connections: readonly EndpointConnection[] = [];
  private readonly others = new Map<string, EndpointConnection>();
  /** What was asked for by name since the last look at `others`. */
  private readonly recent = new Set<EndpointConnection>();
  private cancelSweep: (() => void) | undefined;
  private readonly waiters = new Set<Waiter>();
  private turn = 0;
  private awake = false;
  private closed = false;

  constructor(
    endpoints: readonly Endpoint[],
    private readonly context: EndpointsContext,
  ) {
    this.replace(endpoints);
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** How many endpoints there are. */
  get count(): number {
    return this.connections.length;
  }

  /** Whether none can be used, and the last attempt to connect has failed with each. */
  get areAway(): boolean {
    return this.connections.every(({ isAway }) => isAway);
  }

  /** The endpoints' texts, in the order they were given. */
  list(): readonly string[] {
    return this.connections.map(({ endpoint }) => endpoint.text);
  }

  /** Those that can be asked now, healthy or not. */
  connected(): readonly string[] {
    return this.connections.flatMap(({ endpoint, isConnected }) => (isConnected ? endpoint.text : []));
  }

  status(): readonly EndpointStatus[] {
    return this.connections.map(({ endpoint, state, failure }) => ({
      endpoint: endpoint.text,
      state: state.name,
      reason: failure?.reason,
    }));
  }

  /** Why each endpoint (or the one that is asked for) that cannot be used cannot be used. */
  failures(pinned?: string): readonly EndpointFailure[] {
    return this.asked(pinned).flatMap(({ failure }) => failure ?? []);
  }

  /**
   * The connection to this endpoint, for a call that is for it alone. One that is not of the list is kept beside it for a
   * while, so that the next such call finds it connected.
   *
   * @throws {EtcdConfigError} when the text is no endpoint.
   */
  at(text: string): EndpointConnection {
    const listed = this.connections.find(({ endpoint }) => endpoint.text === text);
    if (listed !== undefined) return listed;
    const connection = this.others.get(text) ?? this.other(parseEndpoint(text, 'endpoint'));
    this.recent.add(connection);
    return connection;
  }

  /** Whether there is a connection to this endpoint, in the list or beside it. */
  has(text: string): boolean {
    return this.others.has(text) || this.connections.some(({ endpoint }) => endpoint.text === text);
  }

  /** Closes connections that are kept beside the list; those in it stay. */
  giveUp(texts: readonly string[]): void {
    for (const text of texts) {
      this.others.get(text)?.close();
      this.others.delete(text);
    }
  }

  /**
   * The reasons why waiting cannot help: every endpoint (or the one that is asked for) failed by what only a change of
   * the configuration can mend. `undefined` when there is hope.
   */
  hopeless(pinned: string | undefined): readonly EndpointFailure[] | undefined {
    const isHopeless = this.asked(pinned).every((connection) => connection.isMisconfigured);
    return isHopeless ? this.failures(pinned) : undefined;
  }

  /** Starts to connect to every endpoint that was not tried yet. */
  wake(): void {
    this.awake = true;
    for (const connection of this.connections) connection.wake();
  }

  /**
   * The next endpoint in turn: a healthy one, else one that is at least connected. `avoid` is taken only when there is no
   * other of its kind.
   */
  pick(avoid?: EndpointConnection): EndpointConnection | undefined {
    if (!this.awake) this.wake();
    return this.next('ready', avoid) ?? this.next('sick', avoid);
  }

  /** The connection for the next try of a call: the pinned one, if it is connected, else {@link pick}'s. */
  choose(pinned: string | undefined, avoid: EndpointConnection | undefined): EndpointConnection | undefined {
    if (pinned === undefined) return this.pick(avoid);
    const connection = this.at(pinned);
    connection.wake();
    return connection.isConnected ? connection : undefined;
  }

  /** Calls `waiter` once, as soon as an endpoint changes in a way that makes another `pick` worthwhile. */
  wait(waiter: Waiter): () => void {
    this.waiters.add(waiter);
    return () => this.waiters.delete(waiter);
  }

  /** Whether any healthy endpoint other than `connection` could take over a call. */
  hasAlternative(connection: EndpointConnection): boolean {
    return this.connections.some((other) => other !== connection && other.state.name === 'ready');
  }

  /**
   * Takes a new list. Endpoints that stay keep their connections; calls on those that go are the callers' to retry.
   * Does nothing once closed.
   */
  replace(endpoints: readonly Endpoint[]): void {
    if (this.closed) return;
    const kept = new Map(this.connections.map((connection) => [connection.endpoint.text, connection]));
    const next = endpoints.map((endpoint) => {
      const known = kept.get(endpoint.text) ?? this.others.get(endpoint.text);
      kept.delete(endpoint.text);
      this.others.delete(endpoint.text);
      return known ?? this.open(endpoint);
    });
    this.connections = next;
    for (const gone of kept.values()) gone.close();
    if (this.awake) this.wake();
  }

  close(): void {
    this.closed = true;
    this.cancelSweep?.();
    for (const connection of [...this.connections, ...this.others.values()]) connection.close();
    this.waiters.clear();
  }

  private asked(pinned: string | undefined): readonly EndpointConnection[] {
    return pinned === undefined ? this.connections : [this.at(pinned)];
  }

  /** One place may be written in several ways: `http://a:1` and `http://a:1/` share a connection. */
  private other(endpoint: Endpoint): EndpointConnection {
    const isSame = ({ endpoint: { address, security } }: EndpointConnection): boolean =>
      address === endpoint.address && security === endpoint.security;
    const known = [...this.connections, ...this.others.values()].find(isSame);
    if (known !== undefined) return known;
    const opened = this.open(endpoint);
    this.others.set(endpoint.text, opened);
    this.sweepLater();
    return opened;
  }

  private sweepLater(): void {
    this.cancelSweep ??= this.context.clock.after(OTHERS_IDLE_MS, () => this.sweep(), 'background');
  }

  private sweep(): void {
    this.cancelSweep = undefined;
    const idle = [...this.others].filter(([, connection]) => !connection.isBusy && !this.recent.has(connection));
    this.giveUp(idle.map(([text]) => text));
    this.recent.clear();
    if (this.others.size > 0) this.sweepLater();
  }

  private open(endpoint: Endpoint): EndpointConnection {
    return new EndpointConnection(endpoint, {
      ...this.context,
      onState: (connection, state) => {
        this.context.onChange?.(connection.endpoint.text, state, connection.failure?.reason);
        this.wakeWaiters();
      },
    });
  }

  private next(state: 'ready' | 'sick', avoid: EndpointConnection | undefined): EndpointConnection | undefined {
    const count = this.connections.length;
    let fallback: EndpointConnection | undefined;
    for (let step = 0; step < count; step++) {
      const connection = this.connections[(this.turn + step) % count];
      if (connection?.state.name !== state) continue;
      if (connection !== avoid) {
        this.turn = (this.turn + step + 1) % count;
        return connection;
      }
      fallback = connection;
    }
    return fallback;
  }

  /** One that is woken may end the wait of another, or wait anew. */
  private wakeWaiters(): void {
    for (const waiter of [...this.waiters]) {
      if (this.waiters.delete(waiter)) waiter();
    }
  }
}
