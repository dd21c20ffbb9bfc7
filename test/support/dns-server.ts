/** A DNS server on loopback that knows what a test tells it, and nothing else. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import packet, { type Answer, type SrvData } from 'dns-packet';

/** NXDOMAIN: the name does not exist (RFC 1035, section 4.1.1). */
const NO_SUCH_NAME = 3;

/** Starts one that knows no name. */
export async function startDnsServer(): Promise<DnsServer> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return new DnsServer(socket);
}

export class DnsServer implements AsyncDisposable {
  /** Every name that was asked for, in order. */
  readonly questions: string[] = [];
  /** When true, questions are heard and not answered. */
  isSilent = false;
  private readonly services = new Map<string, readonly SrvData[]>();

  constructor(private readonly socket: Socket) {
    socket.on('message', (message, { port, address }) => {
      const query = packet.decode(message);
      const name = query.questions?.[0]?.name ?? '';
      this.questions.push(name);
      if (!this.isSilent) socket.send(this.answer(query.id ?? 0, name), port, address);
    });
  }

  /** `127.0.0.1:PORT`, as a resolver wants it. */
  get address(): string {
    return `127.0.0.1:${this.socket.address().port}`;
  }

  /** Sets the SRV records of a name. */
  setService(name: string, records: readonly SrvData[]): void {
    this.services.set(name, records);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await once(this.socket, 'close');
  }

  private answer(id: number, name: string): Buffer {
    const records = this.services.get(name);
    const answers: Answer[] = (records ?? []).map((data) => ({ type: 'SRV', name, ttl: 1, data }));
    const flags = packet.RECURSION_DESIRED | (records === undefined ? NO_SUCH_NAME : 0);
    return packet.encode({ type: 'response', id, flags, questions: [{ type: 'SRV', name }], answers });
  }
}
