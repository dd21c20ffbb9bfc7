/** Opens a connection to an endpoint, at whichever address of its host speaks HTTP/2 first. */
import dns from 'node:dns';
import type { ClientHttp2Session } from 'node:http2';
import { isIP, type Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Clock } from '../../clock.js';
import type { Endpoint } from '../../endpoint.js';
import { addressOf, type Address } from '../address.js';
import { reasonOfError } from '../connect-failure.js';
import { Attempt } from './attempt.js';

/** Why an address could not be used; `undefined` when its peer hung up without a word. */
export type DialFailure = string | undefined;

/** Told once how it ends. */
export interface DialerEvents {
  onOpen(session: ClientHttp2Session, socket: Socket): void;
  /** @param failures one for each address that was tried, or why there is none. */
  onFailed(failures: readonly DialFailure[]): void;
}

/** After it the next address is tried beside the ones before (RFC 8305, section 5). */
const NEXT_ADDRESS_AFTER_MS = 250;

/** One endpoint that is being dialled. */
export class Dialer {
  private readonly attempts = new Set<Attempt>();
  private readonly failures: DialFailure[] = [];
  private addresses: readonly Address[] = [];
  private tried = 0;
  private cancelTimer: (() => void) | undefined;
  private isOver = false;

  /**
   * @param tls `undefined` for a connection without TLS.
   */
  constructor(
    endpoint: Endpoint,
    private readonly tls: ConnectionOptions | undefined,
    private readonly clock: Clock,
    private readonly events: DialerEvents,
  ) {
    this.dial(addressOf(endpoint)).catch((error: unknown) => this.fail([reasonOfError(error as Error)]));
  }

  /** Gives it up; nothing is told. */
  close(): void {
    this.isOver = true;
    this.cancelTimer?.();
    for (const attempt of this.attempts) attempt.close();
  }

  private async dial(address: Address): Promise<void> {
    this.addresses = await addressesOf(address);
    if (this.addresses.length === 0) this.fail(['its name has no address']);
    else this.tryNext();
  }

  private tryNext(): void {
    this.cancelTimer?.();
    const address = this.addresses[this.tried++];
    if (this.isOver || address === undefined) return;
    const attempt: Attempt = new Attempt(address, this.tls, {
      onOpen: (session, socket) => this.onOpen(attempt, session, socket),
      onFailed: (reason) => this.onFailed(attempt, reason),
    });
    this.attempts.add(attempt);
    this.cancelTimer = this.clock.after(NEXT_ADDRESS_AFTER_MS, () => this.tryNext(), 'background');
  }

  private onOpen(attempt: Attempt, session: ClientHttp2Session, socket: Socket): void {
    this.attempts.delete(attempt);
    this.close();
    this.events.onOpen(session, socket);
  }

  private onFailed(attempt: Attempt, reason: string | undefined): void {
    this.attempts.delete(attempt);
    this.failures.push(reason);
    if (this.tried < this.addresses.length) this.tryNext();
    else if (this.attempts.size === 0) this.fail(this.failures);
  }

  private fail(failures: readonly DialFailure[]): void {
    if (this.isOver) return;
    this.close();
    this.events.onFailed(failures);
  }
}

async function addressesOf(address: Address): Promise<readonly Address[]> {
  if ('path' in address || isIP(address.host) !== 0) return [address];
  const found = await dns.promises.lookup(address.host, { all: true });
  return alternating(found).map((host) => ({ host, port: address.port }));
}

/** The two families in turn, the first one's first: where one of them leads nowhere, the other is not tried last. */
function alternating(found: readonly dns.LookupAddress[]): readonly string[] {
  const first = found.filter(({ family }) => family === found[0]?.family);
  const other = found.filter(({ family }) => family !== found[0]?.family);
  const turns = Array.from({ length: Math.max(first.length, other.length) }, (_, index) => [
    first[index],
    other[index],
  ]);
  return turns.flat().flatMap((entry) => entry?.address ?? []);
}
