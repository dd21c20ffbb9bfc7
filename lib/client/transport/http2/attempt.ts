/** One attempt to connect to one address: TCP, TLS where it is wanted, and HTTP/2 up to the peer's settings. */
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { Address } from '../address.js';
import { reasonOfError } from '../connect-failure.js';

/** Told once how it ends. Never before the constructor has returned. */
export interface AttemptEvents {
  /**
   * The peer speaks HTTP/2.
   *
   * @param socket carries the session, which on its own can neither drop a peer that takes nothing more in, nor one that
   * does not hang up.
   */
  onOpen(session: ClientHttp2Session, socket: Socket): void;
  /** @param reason what went wrong; `undefined` when the peer hung up without a word. */
  onFailed(reason: string | undefined): void;
}

/** Never used to dial, and sent to nobody: each call has an authority of its own. */
const NO_AUTHORITY = 'http://localhost';

/**
 * What the server may send ahead of us on one stream, and on all of them: HTTP/2's own 64 KiB for each round trip would be
 * little for a range over a real network. It bounds what a watch that nobody reads holds in memory, too.
 */
const STREAM_WINDOW_BYTES = 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 4 * STREAM_WINDOW_BYTES;

const SESSION = {
  settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
  // node:http2's own limit of 10 MB ends a session whose answers are larger.
  maxSessionMemory: Number.MAX_SAFE_INTEGER,
};

/** Does not keep the process alive: who waits for it does. */
export class Attempt {
  private readonly socket: Socket;
  private session: ClientHttp2Session | undefined;
  private isOver = false;

  /** @param tls `undefined` for a connection without TLS. */
  constructor(
    address: Address,
    tls: ConnectionOptions | undefined,
    private readonly events: AttemptEvents,
  ) {
    const target = { ...address, noDelay: true };
    this.socket = tls === undefined ? connect(target) : connectTls({ ...target, ...tls });
    this.socket.unref();
    this.socket.once(tls === undefined ? 'connect' : 'secureConnect', () => this.greet());
    this.socket.on('error', (error) => this.onError(error));
    this.socket.once('close', () => this.fail(undefined));
  }

  /** Gives it up; nothing is told. */
  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.session?.destroy();
    this.socket.destroy();
  }

  private greet(): void {
    if (this.isOver) return;
    const session = connectHttp2(NO_AUTHORITY, { ...SESSION, createConnection: () => this.socket });
    this.session = session;
    session.unref();
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    });
    session.on('error', (error: Error) => this.fail(reasonOfError(error)));
    session.once('close', () => this.fail(undefined));
    session.once('remoteSettings', () => {
      if (this.isOver) return;
      this.isOver = true;
      this.events.onOpen(session, this.socket);
    });
  }

  /** Also of TLS 1.3, whose server refuses a certificate when the client thinks the handshake is over; HTTP/2 overhears it. */
  private onError(error: Error): void {
    if (this.isOver) this.session?.destroy(error);
    else this.fail(reasonOfError(error));
  }

  private fail(reason: string | undefined): void {
    if (this.isOver) return;
    this.close();
    this.events.onFailed(reason);
  }
}
