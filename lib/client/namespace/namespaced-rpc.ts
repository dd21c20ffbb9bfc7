/** The seam to the wire as it is inside a namespace: every key that goes out gets the prefix, every key that comes in loses it. */
import { EtcdProtocolError } from '../errors.js';
import type { Duplex, DuplexMethod, MethodInfo, Rpc, RpcCallOptions, UnaryMethod } from '../rpc/rpc.js';
import type { Keyspace } from './keyspace.js';
import { translationOf } from './translations.js';

/** The seam, inside a namespace. A service that is given it works in the namespace and does not know. */
export class NamespacedRpc implements Rpc {
  constructor(
    private readonly rpc: Rpc,
    private readonly space: Keyspace,
  ) {}

  /** Async, so that what is wrong with a key rejects as it does outside of namespaces. */
  async unary<Req extends object, Res>(
    method: UnaryMethod<Req, Res>,
    request: Req,
    options: RpcCallOptions = {},
  ): Promise<Res> {
    const translation = translationOf(method);
    const answer = await this.rpc.unary(method, translation.request(this.space, request), options);
    return readAnswer(method, options, () => translation.answer(this.space, answer));
  }

  duplex<Req extends object, Res>(method: DuplexMethod<Req, Res>, options: RpcCallOptions = {}): Duplex<Req, Res> {
    const { request, answer } = translationOf(method);
    const { space } = this;
    return new TranslatedStream(
      this.rpc.duplex(method, options),
      (message) => request(space, message),
      (message) => readAnswer(method, options, () => answer(space, message)),
    );
  }
}

/** Says of a write whose answer makes no sense what is true of it: it was applied, most likely. */
function readAnswer<Res>(method: MethodInfo, { effect }: RpcCallOptions, read: () => Res): Res {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EtcdProtocolError)) throw error;
    const outcome = (effect ?? method.effect) === 'write' ? 'unknown' : undefined;
    throw new EtcdProtocolError(error.message, { method: method.label, attempts: 1, outcome });
  }
}

/** A stream whose messages are changed on their way. */
class TranslatedStream<Req, Res> implements Duplex<Req, Res> {
  constructor(
    private readonly stream: Duplex<Req, Res>,
    private readonly outward: (request: Req) => Req,
    private readonly inward: (answer: Res) => Res,
  ) {}

  get endpoint(): string | undefined {
    return this.stream.endpoint;
  }

  send(request: Req): void {
    this.stream.send(this.outward(request));
  }

  halfClose(): void {
    this.stream.halfClose();
  }

  close(silence?: string): void {
    this.stream.close(silence);
  }

  refused(serverText: string): boolean {
    return this.stream.refused(serverText);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Res, void, undefined> {
    for await (const answer of this.stream) yield this.inward(answer);
  }
}
