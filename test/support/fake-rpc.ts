/** A scripted stand-in for the seam to the wire: answers as it was told, and keeps what it was asked. */
import { EtcdAbortedError } from '../../lib/client/errors.js';
import type { Duplex, DuplexMethod, MethodInfo, Rpc, RpcCallOptions, UnaryMethod } from '../../lib/client/rpc/rpc.js';

/** One unary call that was made. */
export interface FakeCall {
  readonly method: MethodInfo;
  /** The request as it was when the call was made. */
  readonly request: unknown;
  readonly options: RpcCallOptions;
}

/** An answer, an error to reject with, or a function that makes either when the call comes. */
export type FakeAnswer<Req, Res> = Res | Error | ((request: Req, options: RpcCallOptions) => Res | Promise<Res>);

type Respond = (request: unknown, options: RpcCallOptions) => unknown;
type OnOpen = (stream: FakeStream<unknown, unknown>, options: RpcCallOptions) => void;

/**
 * @example
 * const rpc = new FakeRpc();
 * rpc.answer(PUT, { header, prevKv: null });
 * await new EtcdKv(rpc, limits).put('a', 'x');
 * expect(rpc.requests(PUT)).toMatchObject([{ key: bytes('a') }]);
 */
export class FakeRpc implements Rpc {
  /** Every unary call, in order. */
  readonly calls: FakeCall[] = [];
  /** Every stream that was opened, in order. */
  readonly streams: FakeStream<unknown, unknown>[] = [];

  private readonly queued = new Map<string, unknown[]>();
  private readonly standing = new Map<string, unknown>();
  private readonly openers = new Map<string, OnOpen>();

  /** Queues answers to the next calls of a method. */
  answer<Req, Res>(method: UnaryMethod<Req, Res>, ...answers: FakeAnswer<Req, Res>[]): this {
    const queue = this.queued.get(method.path) ?? [];
    queue.push(...answers);
    this.queued.set(method.path, queue);
    return this;
  }

  /** Answers every call of a method for which nothing is queued. */
  answerAlways<Req, Res>(method: UnaryMethod<Req, Res>, answer: FakeAnswer<Req, Res>): this {
    this.standing.set(method.path, answer);
    return this;
  }

  /** Says what happens when a stream of a method is opened; otherwise it just stays open. */
  onStream<Req, Res>(
    method: DuplexMethod<Req, Res>,
    onOpen: (stream: FakeStream<Req, Res>, options: RpcCallOptions) => void,
  ): this {
    this.openers.set(method.path, onOpen as OnOpen);
    return this;
  }

  /** The requests of all calls of a method, in order. */
  requests<Req, Res>(method: UnaryMethod<Req, Res>): Req[] {
    return this.calls.filter((call) => call.method.path === method.path).map(({ request }) => request as Req);
  }

  async unary<Req extends object, Res>(
    method: UnaryMethod<Req, Res>,
    request: Req,
    options: RpcCallOptions = {},
  ): Promise<Res> {
    // Cloned, since the real one encodes a request before the call first waits.
    this.calls.push({ method, request: structuredClone(request), options });
    if (options.signal?.aborted === true) {
      throw new EtcdAbortedError({ method: method.label, cause: options.signal.reason as unknown });
    }
    const answer = this.nextAnswer(method);
    if (answer instanceof Error) throw answer;
    return (await (typeof answer === 'function' ? (answer as Respond)(request, options) : answer)) as Res;
  }

  duplex<Req extends object, Res>(method: DuplexMethod<Req, Res>, options: RpcCallOptions = {}): Duplex<Req, Res> {
    const stream = new FakeStream<Req, Res>(method);
    options.signal?.addEventListener('abort', () =>
      stream.fail(new EtcdAbortedError({ method: method.label, cause: options.signal?.reason as unknown })),
    );
    this.streams.push(stream);
    // Once the client has sent what it sends at once.
    queueMicrotask(() => this.openers.get(method.path)?.(stream, options));
    return stream;
  }

  private nextAnswer(method: MethodInfo): unknown {
    const queue = this.queued.get(method.path);
    if (queue !== undefined && queue.length > 0) return queue.shift();
    if (this.standing.has(method.path)) return this.standing.get(method.path);
    throw new Error(`no answer scripted for call ${this.calls.length} (${method.label})`);
  }
}

type End = { readonly error: Error | undefined };

/** A stream whose server side the test plays. */
export class FakeStream<Req, Res> implements Duplex<Req, Res>, AsyncIterator<Res, undefined> {
  /** What the client sent, as it was when it was sent. */
  readonly sent: Req[] = [];
  isHalfClosed = false;
  /** Whether the client closed it, rather than the server. */
  isClosed = false;
  endpoint: string | undefined = 'http://fake:2379';

  /** What the client said when it closed the stream because answers did not come. */
  silence: string | undefined;
  /** What the client reported of refusals on this stream, in the server's words. */
  readonly refusals: string[] = [];
  /** Whether a report of a refusal is answered with "another stream may do better". */
  refusalsHelp = true;

  private readonly waiting: Res[] = [];
  private ended: End | undefined;
  private wake: (() => void) | undefined;

  constructor(readonly method: MethodInfo) {}

  /** Sends messages to the client. */
  deliver(...messages: Res[]): this {
    this.waiting.push(...messages);
    this.wake?.();
    return this;
  }

  /** Ends it from the server's side, without an error. */
  end(): void {
    this.finish({ error: undefined });
  }

  /** Breaks it: what was delivered before still comes. */
  fail(error: Error): void {
    this.finish({ error });
  }

  send(request: Req): void {
    if (this.ended === undefined) this.sent.push(structuredClone(request));
  }

  halfClose(): void {
    this.isHalfClosed = true;
  }

  close(silence?: string): void {
    if (this.ended !== undefined) return;
    this.isClosed = true;
    this.silence = silence;
    this.finish({ error: undefined });
  }

  refused(serverText: string): boolean {
    this.refusals.push(serverText);
    return this.refusalsHelp;
  }

  [Symbol.asyncIterator](): AsyncIterator<Res, undefined> {
    return this;
  }

  async next(): Promise<IteratorResult<Res, undefined>> {
    for (;;) {
      const value = this.waiting.shift();
      if (value !== undefined) return { done: false, value };
      if (this.ended?.error !== undefined) throw this.ended.error;
      if (this.ended !== undefined) return { done: true, value: undefined };
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  return(): Promise<IteratorResult<Res, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  private finish(end: End): void {
    this.ended ??= end;
    this.wake?.();
  }
}
