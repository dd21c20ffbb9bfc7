/** The rpc core with everything around it made up: members, time and chance. */
import { deepStrictEqual } from 'node:assert/strict';
import { EtcdError } from '../../../lib/client/errors.js';
import { resolveOptions, type EtcdConnectionOptions } from '../../../lib/client/options.js';
import { Calls } from '../../../lib/client/rpc/calls.js';
import { Endpoints } from '../../../lib/client/rpc/endpoints.js';
import { CallHeaders } from '../../../lib/client/rpc/headers.js';
import type { EtcdInterceptor } from '../../../lib/client/rpc/interceptor.js';
import { PUT, RANGE } from '../../../lib/client/rpc/methods.js';
import { linearizableProbe } from '../../../lib/client/rpc/probe.js';
import type { RpcCallOptions } from '../../../lib/client/rpc/rpc.js';
import { FakeClock, settle } from '../../support/fake-clock.js';
import { FakeCluster, type FakeMember, type FakeTransportCall } from '../../support/fake-transport.js';

export const A = 'http://a:1';
export const B = 'http://b:1';
export const C = 'http://c:1';

export interface RigOptions extends Partial<Omit<EtcdConnectionOptions, 'endpoints'>> {
  readonly endpoints?: readonly string[];
  readonly interceptors?: readonly EtcdInterceptor[];
  readonly random?: () => number;
  /** Told of each change of an endpoint's state, as it happens. */
  readonly onState?: (state: string) => void;
}

/** A client without its services. Every member accepts, and answers reads and writes, unless a test says otherwise. */
export class Rig {
  readonly clock = new FakeClock();
  readonly cluster = new FakeCluster();
  readonly headers = new CallHeaders();
  readonly endpoints: Endpoints;
  readonly calls: Calls;
  /** Every change of an endpoint's state, as `endpoint state`. */
  readonly states: string[] = [];

  constructor({ endpoints = [A, B, C], interceptors = [], random = () => 0.5, onState, ...rest }: RigOptions = {}) {
    const options = resolveOptions({ endpoints, ...rest });
    for (const endpoint of endpoints) this.cluster.member(endpoint);
    this.cluster.on(RANGE, (call) => call.answer({})).on(PUT, (call) => call.answer({}));
    this.endpoints = new Endpoints(options.endpoints, {
      clock: this.clock,
      random,
      connect: this.cluster.connect,
      probe: linearizableProbe(this.headers),
      connectTimeoutMs: options.connectTimeoutMs,
      maxReconnectDelayMs: options.maxReconnectDelayMs,
      onChange: (endpoint, { name }) => {
        this.states.push(`${endpoint} ${name}`);
        onState?.(name);
      },
    });
    const { clock, headers } = this;
    this.calls = new Calls({ options, interceptors, endpoints: this.endpoints, headers, clock, random });
  }

  member(endpoint: string): FakeMember {
    return this.cluster.member(endpoint);
  }

  /** Connects to every endpoint that lets itself be connected to. */
  async connected(): Promise<this> {
    this.endpoints.wake();
    await settle();
    return this;
  }

  /** Starts a read of one key. */
  read(options?: RpcCallOptions): Outcome {
    return new Outcome(this.calls.unary(RANGE, { key: Buffer.from('k') }, options));
  }

  /** Starts a write of one key. */
  write(options?: RpcCallOptions): Outcome {
    return new Outcome(this.calls.unary(PUT, { key: Buffer.from('k'), value: Buffer.from('v') }, options));
  }

  /** The reads and writes that reached a member, in order, without the client's own probes. */
  arrived(): FakeTransportCall[] {
    return this.cluster.calls.filter((call) => !isProbe(call));
  }

  /** The endpoints of {@link arrived}. */
  arrivedAt(): string[] {
    return this.arrived().map(({ endpoint }) => endpoint);
  }

  stateOf(endpoint: string): string | undefined {
    return this.endpoints.status().find((status) => status.endpoint === endpoint)?.state;
  }

  /** Closes everything, and throws when a timer, a call or a listener outlives it. For `afterEach`. */
  async leaveNothing(): Promise<void> {
    this.calls.close();
    this.endpoints.close();
    await settle();
    deepStrictEqual(this.clock.pending(), [], 'milliseconds of timers that outlive the client');
    deepStrictEqual(this.calls.counters().inFlight, 0, 'calls that outlive the client');
  }
}

/** What becomes of a call. */
export class Outcome {
  state: 'pending' | 'answered' | 'failed' = 'pending';
  /** What it was rejected with. */
  thrown: unknown;

  constructor(readonly promise: Promise<unknown>) {
    promise.then(
      () => (this.state = 'answered'),
      (thrown: unknown) => {
        this.state = 'failed';
        this.thrown = thrown;
      },
    );
  }

  /** The error of a call that has failed; fails the test when it has not. */
  get error(): EtcdError {
    if (this.thrown instanceof EtcdError) return this.thrown;
    throw new Error(`the call is ${this.state}`, { cause: this.thrown });
  }
}

/** Whether the call is one of the client's own, to find out whether a member serves again. */
export function isProbe({ path, request }: FakeTransportCall): boolean {
  return path === RANGE.path && Buffer.from((request as { key: Uint8Array }).key).toString() === 'health';
}

/** An abort signal that counts who listens to it. */
export function countingSignal(): { controller: AbortController; signal: AbortSignal; listeners: () => number } {
  const controller = new AbortController();
  const { signal } = controller;
  let count = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  const known = new Set<unknown>();
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    known.add(args[1]);
    count = known.size;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    known.delete(args[1]);
    count = known.size;
    remove(...args);
  };
  return { controller, signal, listeners: () => count };
}
