/** A server that speaks etcd's protocol and counts what it is asked: for tests that care how often, not for etcd's behaviour. */
import {
  Server,
  ServerCredentials,
  type status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { RpcMessages } from '../../../lib/client/rpc/generated/messages.js';
import { serverCodecOf } from '../../support/server-codec.js';

type Path = keyof RpcMessages;
type Answer<P extends Path> = (
  request: RpcMessages[P]['request'],
) => Partial<RpcMessages[P]['response']> | Refusal | Promise<Partial<RpcMessages[P]['response']>>;

/** A gRPC status that is not OK. */
export class Refusal {
  constructor(
    readonly code: status,
    readonly details: string,
  ) {}
}

const MEMBER = { clusterId: 'cdf818194e3a8c32', memberId: '8e9e05c52164694d', revision: 1, raftTerm: 2 };

/** What a healthy single member answers, beside the header. */
const ANSWERS: { readonly [P in Path]?: Answer<P> } = {
  '/etcdserverpb.KV/Range': () => ({ kvs: [], count: 0, more: false }),
  '/etcdserverpb.KV/Put': () => ({}),
  '/etcdserverpb.Maintenance/Status': () => ({
    version: '3.5.30',
    dbSize: 20_480,
    dbSizeInUse: 16_384,
    leader: MEMBER.memberId,
    errors: [],
    isLearner: false,
  }),
  '/etcdserverpb.Auth/Authenticate': () => ({ token: 'token.1' }),
};

/** A running fake. */
export class FakeEtcd implements AsyncDisposable {
  private readonly counts = new Map<Path, number>();
  private readonly answers = new Map<Path, Answer<Path>>(Object.entries(ANSWERS) as [Path, Answer<Path>][]);
  private server = new Server();
  private port = 0;

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** How often an RPC was asked for. */
  count(path: Path): number {
    return this.counts.get(path) ?? 0;
  }

  /** How many RPCs there were in all. */
  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Sets what an RPC is answered with from now on. */
  answer<P extends Path>(path: P, answer: Answer<P>): void {
    this.answers.set(path, answer);
  }

  /** Starts it, or starts it again on its port. */
  async listen(): Promise<this> {
    this.server = new Server();
    for (const path of Object.keys(ANSWERS) as Path[]) this.serve(path);
    this.port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(`127.0.0.1:${this.port}`, ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
    return this;
  }

  /** As if the process was killed. */
  kill(): void {
    this.server.forceShutdown();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    return Promise.resolve();
  }

  private serve(path: Path): void {
    const codec = serverCodecOf(path as string);
    const name = path.slice(path.lastIndexOf('/') + 1);
    const definition: ServiceDefinition = {
      [name]: {
        path,
        requestStream: false,
        responseStream: false,
        requestSerialize: (bytes: Buffer) => bytes,
        requestDeserialize: (bytes) => codec.decodeRequest(bytes),
        responseSerialize: (message: object) => codec.encodeResponse(message),
        responseDeserialize: (bytes) => bytes,
      },
    };
    const implementation: UntypedServiceImplementation = {
      [name]: (call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) =>
        void this.reply(path, call.request, callback),
    };
    this.server.addService(definition, implementation);
  }

  private async reply(path: Path, request: object, callback: sendUnaryData<object>): Promise<void> {
    this.counts.set(path, this.count(path) + 1);
    const answer = await this.answers.get(path)!(request);
    if (answer instanceof Refusal) callback({ code: answer.code, details: answer.details });
    else callback(null, { header: MEMBER, ...answer });
  }
}

/** Starts a fake on a free port. */
export function startFakeEtcd(): Promise<FakeEtcd> {
  return new FakeEtcd().listen();
}
