/** What the lease specs stand on: the service over a scripted seam and a clock that stands still. */
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { LEASE_GRANT, LEASE_REVOKE } from '../../../lib/client/rpc/methods.js';
import type { RpcCallOptions } from '../../../lib/client/rpc/rpc.js';
import type { EtcdServerSideError, ServerFacts } from '../../../lib/client/server-errors.js';
import { EtcdLease } from '../../../lib/client/lease/lease.js';
import type { ErrorContext } from '../../../lib/client/errors.js';
import { FakeClock, settle } from '../../support/fake-clock.js';
import { FakeRpc, type FakeStream } from '../../support/fake-rpc.js';

export const HEADER = { clusterId: 'c1', memberId: 'm1', revision: 7, raftTerm: 2 };

export type Stream = FakeStream<wire.LeaseKeepAliveRequest, wire.LeaseKeepAliveResponse>;

/** What the server answers to a renewal; 0 for a lease it does not know. */
export function renewed(id: string, ttlSeconds: number): wire.LeaseKeepAliveResponse {
  return { header: HEADER, ID: id, TTL: ttlSeconds };
}

/** An error as the seam makes it of what a server said. */
export function serverError<E extends EtcdServerSideError>(
  type: new (facts: ServerFacts, context?: ErrorContext) => E,
  message: string,
  context: ErrorContext = {},
): E {
  return new type({ reason: 'Test', serverMessage: message }, { grpcCode: 7, ...context });
}

export interface RigOptions {
  /** @default always 0.5: beats at exactly a third of the TTL, pauses of half their bound */
  readonly random?: () => number;
  /** What a new stream does; by default it swallows what is sent. */
  readonly onStream?: (stream: Stream, options: RpcCallOptions) => void;
}

/** Answers each renewal at once, with this TTL. */
export function answering(ttlSeconds: number | ((id: string) => number)): (stream: Stream) => void {
  return (stream) => {
    const send = stream.send.bind(stream);
    stream.send = (request) => {
      send(request);
      const id = request.ID ?? '0';
      stream.deliver(renewed(id, typeof ttlSeconds === 'number' ? ttlSeconds : ttlSeconds(id)));
    };
  };
}

/** The service, with a server that grants what it is asked for. */
export class Rig {
  readonly clock = new FakeClock();
  readonly rpc = new FakeRpc();
  readonly lease: EtcdLease;
  /** With which words streams were closed for their silence. */
  readonly silences: string[] = [];
  /** What the next stream does. */
  onStream: (stream: Stream, options: RpcCallOptions) => void;

  constructor({ random = () => 0.5, onStream = () => undefined }: RigOptions = {}) {
    this.onStream = onStream;
    const { rpc, clock } = this;
    this.lease = new EtcdLease(rpc, { callTimeoutMs: 5_000 }, { clock, random });
    rpc.answerAlways(LEASE_GRANT, ({ TTL = 0, ID = '0' }) => ({ header: HEADER, ID, TTL, error: '' }));
    rpc.answerAlways(LEASE_REVOKE, { header: HEADER });
    this.wrapStreams();
  }

  /** Every stream of renewals that was opened, in order. */
  get streams(): readonly Stream[] {
    return this.rpc.streams as unknown as Stream[];
  }

  /** The newest stream. */
  get stream(): Stream {
    const newest = this.streams.at(-1);
    if (newest === undefined) throw new Error('no stream was opened');
    return newest;
  }

  /** The IDs that were sent for renewal on a stream, in order. */
  sent(stream: Stream = this.stream): (string | undefined)[] {
    return stream.sent.map(({ ID }) => ID);
  }

  /** Streams behave from their opening on, also towards what is sent at once; the fake's own hook comes too late. */
  private wrapStreams(): void {
    const duplex = this.rpc.duplex.bind(this.rpc);
    this.rpc.duplex = (method, options) => {
      const opened = duplex(method, options);
      const stream = opened as unknown as Stream;
      const close = stream.close.bind(stream);
      stream.close = (silence?: string) => {
        if (silence !== undefined) this.silences.push(silence);
        close();
      };
      this.onStream(stream, options ?? {});
      return opened;
    };
  }

  /** Delivers answers on the newest stream, and lets them be read. */
  async deliver(...answers: wire.LeaseKeepAliveResponse[]): Promise<void> {
    this.stream.deliver(...answers);
    await settle();
  }

  /** Breaks the newest stream, and lets that be noticed. */
  async break(error: Error): Promise<void> {
    this.stream.fail(error);
    await settle();
  }
}
