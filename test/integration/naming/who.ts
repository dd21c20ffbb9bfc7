/** gRPC servers that tell their name, and clients that ask for it. */
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export const WHO_PROTO = fileURLToPath(new URL('./who.proto', import.meta.url));

interface Name {
  readonly name: string;
}

type AskCallback = (error: grpc.ServiceError | null, answer?: Name) => void;

interface WhoClient extends grpc.Client {
  am(request: object, options: grpc.CallOptions, callback: AskCallback): void;
}

const { Who } = (
  grpc.loadPackageDefinition(loadSync(WHO_PROTO)) as unknown as {
    readonly who: { readonly Who: grpc.ServiceClientConstructor };
  }
).who;

/** A server that runs. */
export interface WhoServer {
  readonly name: string;
  readonly address: string;
  stop(): void;
}

export async function startWho(name: string): Promise<WhoServer> {
  const server = new grpc.Server();
  server.addService(Who.service, { am: (_call: unknown, answer: AskCallback) => answer(null, { name }) });
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { name, address: `127.0.0.1:${port}`, stop: () => server.forceShutdown() };
}

/** Asks whoever is at a target. */
export class Asker {
  private readonly client: WhoClient;

  constructor(target: string, options: grpc.ChannelOptions = {}) {
    this.client = new Who(target, grpc.credentials.createInsecure(), options) as unknown as WhoClient;
  }

  /** @returns the name of the server that answered. */
  ask(timeoutMs = 5_000): Promise<string> {
    return new Promise((resolve, reject) => {
      this.client.am({}, { deadline: Date.now() + timeoutMs }, (error, answer) => {
        if (error !== null) reject(error);
        else resolve(answer?.name ?? '');
      });
    });
  }

  /** @returns the names of those who answered, each once, in order. */
  async askOften(times = 12): Promise<string[]> {
    const names = new Set<string>();
    for (let time = 0; time < times; time++) names.add(await this.ask());
    return [...names].sort();
  }

  close(): void {
    this.client.close();
  }
}
