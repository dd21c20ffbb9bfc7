/** A peer that speaks HTTP/2 frame by frame: it answers, refuses, falls silent or lies exactly as a test says. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { eventually } from '../../support/eventually.js';

const PREFACE_BYTES = 24;
const HEAD_BYTES = 9;
const INITIAL_WINDOW = 65_535;
const MAX_FRAME_BYTES = 16_384;
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
const SETTING_BYTES = 6;
const INITIAL_WINDOW_SIZE = 4;

const Frame = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;

export const GRPC_HEADERS = { ':status': '200', 'content-type': 'application/grpc' };

type Fields = Readonly<Record<string, string>>;

/** What a peer does with each call. */
export type Script = (call: PeerCall) => void;

/** What a peer does beside its script. */
export interface PeerOptions {
  /** How much it takes in before it is read, for a call and for the connection. @default HTTP/2's own 64 KiB */
  readonly windowBytes?: number;
}

/** Starts one on a free port. It never closes a connection by itself, not even when the client has. */
export async function startPeer(script: Script = () => undefined, options: PeerOptions = {}): Promise<ScriptedPeer> {
  const peer = new ScriptedPeer(script, options);
  await peer.listen();
  return peer;
}

export class ScriptedPeer implements AsyncDisposable {
  readonly connections: PeerConnection[] = [];
  /** All calls, in order. */
  readonly calls: PeerCall[] = [];
  private readonly server: Server;

  constructor(
    private readonly script: Script,
    options: PeerOptions,
  ) {
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.connections.push(new PeerConnection(socket, options, (call) => this.onCall(call)));
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The only connection there should be. */
  get connection(): PeerConnection {
    if (this.connections.length !== 1) throw new Error(`there are ${this.connections.length} connections`);
    return this.connections[0]!;
  }

  /** The nth call, waited for. @param number 1 for the first. */
  call(number: number): Promise<PeerCall> {
    return eventually(() => this.calls[number - 1], { what: `call ${number}`, everyMs: 2 });
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.connections) connection.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private onCall(call: PeerCall): void {
    this.calls.push(call);
    this.script(call);
  }
}

class PeerConnection {
  pings = 0;
  private readonly open = new Map<number, PeerCall>();
  private bytes: Buffer = Buffer.alloc(0);
  private isGreeted = false;
  private window = INITIAL_WINDOW;
  private streamWindow = INITIAL_WINDOW;
  private isGone = false;

  constructor(
    private readonly socket: Socket,
    private readonly options: PeerOptions,
    private readonly onCall: Script,
  ) {
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('error', () => (this.isGone = true));
    socket.on('close', () => (this.isGone = true));
  }

  /** The client's socket is no more: what is written to it is refused. A socket that is only half closed takes it. */
  async gone(): Promise<void> {
    const poke = (): boolean => {
      if (!this.isGone) this.send(Frame.ping, ACK, 0, Buffer.alloc(8));
      return this.isGone;
    };
    await eventually(poke, { what: 'the end of the socket', timeoutMs: 5_000, everyMs: 5 });
  }

  /** Says that no more calls are taken. */
  goAway(lastStreamId: number, code = 0, text = ''): void {
    this.send(Frame.goAway, 0, 0, Buffer.concat([numbers(lastStreamId, code), Buffer.from(text)]));
  }

  /** Ends it without a word. */
  cut(): void {
    this.socket.resetAndDestroy();
  }

  /** Takes nothing more in. */
  freeze(): void {
    this.socket.pause();
  }

  send(type: number, flags: number, id: number, payload: Buffer = Buffer.alloc(0)): void {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(id, 5);
    if (!this.isGone) this.socket.write(Buffer.concat([head, payload]));
  }

  /** As many of the bytes as flow control lets through. @returns how many. */
  sendData(id: number, bytes: Buffer, streamWindow: number): number {
    const most = Math.min(bytes.length, streamWindow, this.window);
    for (let at = 0; at < most; at += MAX_FRAME_BYTES)
      this.send(Frame.data, 0, id, bytes.subarray(at, Math.min(at + MAX_FRAME_BYTES, most)));
    this.window -= most;
    return most;
  }

  private take(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    if (!this.isGreeted && !this.greet()) return;
    while (this.bytes.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + this.bytes.readUIntBE(0, 3);
      if (this.bytes.length < end) return;
      const frame = this.bytes.subarray(0, end);
      this.bytes = this.bytes.subarray(end);
      this.onFrame(frame[3]!, frame[4]!, frame.readUInt32BE(5), frame.subarray(HEAD_BYTES));
    }
  }

  /** Says nothing before the client has. @returns whether it has said what a client of HTTP/2 says first. */
  private greet(): boolean {
    if (this.bytes.length < PREFACE_BYTES) return false;
    if (!this.bytes.toString('latin1').startsWith('PRI * ')) {
      this.socket.destroy();
      return false;
    }
    this.bytes = this.bytes.subarray(PREFACE_BYTES);
    this.isGreeted = true;
    const { windowBytes = INITIAL_WINDOW } = this.options;
    this.send(Frame.settings, 0, 0, Buffer.concat([Buffer.from([0, INITIAL_WINDOW_SIZE]), numbers(windowBytes)]));
    if (windowBytes > INITIAL_WINDOW) this.send(Frame.windowUpdate, 0, 0, numbers(windowBytes - INITIAL_WINDOW));
    return true;
  }

  private onFrame(type: number, flags: number, id: number, payload: Buffer): void {
    switch (type) {
      case Frame.settings:
        if ((flags & ACK) === 0) this.onSettings(payload);
        return;
      case Frame.ping:
        this.pings += 1;
        return;
      case Frame.windowUpdate:
        return this.onWindowUpdate(id, payload.readUInt32BE(0));
      case Frame.headers: {
        const call = new PeerCall(this, id, this.streamWindow);
        this.open.set(id, call);
        return this.onCall(call);
      }
      case Frame.data:
        return this.open.get(id)?.take(payload, (flags & END_STREAM) !== 0);
      case Frame.reset: {
        const call = this.open.get(id);
        if (call !== undefined) call.resetCode = payload.readUInt32BE(0);
      }
    }
  }

  private onSettings(settings: Buffer): void {
    for (let at = 0; at < settings.length; at += SETTING_BYTES)
      if (settings.readUInt16BE(at) === INITIAL_WINDOW_SIZE) this.streamWindow = settings.readUInt32BE(at + 2);
    this.send(Frame.settings, ACK, 0);
  }

  private onWindowUpdate(id: number, bytes: number): void {
    if (id === 0) this.window += bytes;
    for (const [number, call] of this.open) call.onWindow(number === id ? bytes : 0);
  }
}

/** One call, seen from the peer. */
export class PeerCall {
  /** The messages of the client, in order. */
  readonly messages: string[] = [];
  isHalfClosed = false;
  /** The code with which the client has reset the stream. */
  resetCode: number | undefined;
  private incoming: Buffer = Buffer.alloc(0);
  private outgoing: Buffer = Buffer.alloc(0);
  private readonly lasts: (() => void)[] = [];

  constructor(
    readonly connection: PeerConnection,
    private readonly id: number,
    private window: number,
  ) {}

  /** Answers as a server should: headers, one message, and the status. */
  answer(message: string, status: Fields = { 'grpc-status': '0' }): void {
    this.headers();
    this.data(inFrame(message));
    this.trailers(status);
  }

  headers(fields: Fields = GRPC_HEADERS): this {
    this.connection.send(Frame.headers, END_HEADERS, this.id, hpack(fields));
    return this;
  }

  /** Sends the bytes, as far as flow control lets it; the rest follows when the client asks for more. */
  data(bytes: Buffer): this {
    this.outgoing = Buffer.concat([this.outgoing, bytes]);
    this.onWindow(0);
    return this;
  }

  /** Headers that end the stream, after all data. */
  trailers(fields: Fields): this {
    return this.last(() => this.connection.send(Frame.headers, END_HEADERS | END_STREAM, this.id, hpack(fields)));
  }

  /** Ends the stream without trailers, after all data. */
  end(): this {
    return this.last(() => this.connection.send(Frame.data, END_STREAM, this.id));
  }

  /** Resets the stream, after all that was said before. */
  reset(code: number): this {
    return this.last(() => this.connection.send(Frame.reset, 0, this.id, numbers(code)));
  }

  /** Bytes that flow control has kept back so far. */
  get heldBackBytes(): number {
    return this.outgoing.length;
  }

  /** The code of the client's reset, waited for. */
  wasReset(): Promise<number> {
    return eventually(() => this.resetCode, { what: 'the reset of the call', everyMs: 2 });
  }

  onWindow(moreBytes: number): void {
    this.window += moreBytes;
    const sent = this.connection.sendData(this.id, this.outgoing, this.window);
    this.window -= sent;
    this.outgoing = this.outgoing.subarray(sent);
    if (this.outgoing.length === 0) for (const send of this.lasts.splice(0)) send();
  }

  private last(send: () => void): this {
    this.lasts.push(send);
    this.onWindow(0);
    return this;
  }

  take(payload: Buffer, isLast: boolean): void {
    this.incoming = Buffer.concat([this.incoming, payload]);
    while (this.incoming.length >= 5) {
      const end = 5 + this.incoming.readUInt32BE(1);
      if (this.incoming.length < end) break;
      this.messages.push(this.incoming.subarray(5, end).toString());
      this.incoming = this.incoming.subarray(end);
    }
    this.isHalfClosed ||= isLast;
  }
}

/** A message as gRPC frames it. */
export function inFrame(message: string, flag = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(Buffer.byteLength(message), 1);
  return Buffer.concat([head, Buffer.from(message)]);
}

function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index));
  return bytes;
}

/** Literals that are not indexed (RFC 7541, section 6.2.2): no table has to be kept. */
function hpack(fields: Fields): Buffer {
  const literals = Object.entries(fields).map(([name, value]) =>
    Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]),
  );
  return Buffer.concat(literals);
}
