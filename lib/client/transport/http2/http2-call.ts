/** One call on a connection: an HTTP/2 stream that carries gRPC's messages. */
import { constants, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { GrpcCode, type RpcStatus, type StreamListener, type TransportStream } from '../transport.js';
import { broken, statusIn, statusOfFault, statusOfForeign, statusOfReset, unsent } from './call-status.js';
import { framed, FrameReader, type FrameSink } from './grpc-frames.js';
import { listen, type StreamEvents } from './stream-events.js';

/** What a call knows of its connection. */
export interface CallConnection {
  readonly mostBytes: number;
  /** Whether the connection is gone, and its streams with it. */
  isGone(): boolean;
  /** Told when nobody waits for the call any more. */
  callEnded(): void;
  /** Told that something is wrong with the connection itself, which other calls would run into as well. */
  distrust(reason: string): void;
}

/** One call. It takes in no more than it is asked for: with a message that nobody wants yet, the stream is paused. */
export class Http2Call implements TransportStream, StreamEvents, FrameSink {
  private readonly frames: FrameReader;
  private readonly unread: Buffer[] = [];
  private wanted = 0;
  private isHandingOut = false;
  private isAnswered = false;
  /** What the server says, if nothing more goes wrong. */
  private said: RpcStatus | undefined;
  /** Set when nothing more comes; what is unread is still handed out before it. */
  private final: RpcStatus | undefined;
  /** The listener hears nothing more. */
  private isDone = false;
  private lastError: NodeJS.ErrnoException | undefined;

  /** @param stream just made: none of its events was emitted yet. */
  constructor(
    private readonly stream: ClientHttp2Stream,
    private readonly connection: CallConnection,
    private readonly listener: StreamListener,
  ) {
    this.frames = new FrameReader(connection.mostBytes);
    listen(stream, this);
  }

  /** Nothing when the server has ended the call already: writing on would keep the end of its answer from being read. */
  send(message: Uint8Array): void {
    if (this.stream.writable) this.stream.write(framed(message));
  }

  /** Sends the only message of a call. */
  sendLast(message: Uint8Array): void {
    this.stream.end(framed(message));
  }

  /** A loop, since who is handed a message may ask for the next one at once. */
  read(): void {
    this.wanted += 1;
    if (this.isHandingOut) return;
    this.isHandingOut = true;
    while (this.wanted > 0 && this.unread.length > 0) this.handOut(this.unread.shift());
    this.isHandingOut = false;
    if (this.unread.length > 0) return;
    if (this.final !== undefined) this.tell(this.final);
    else if (this.stream.isPaused()) this.stream.resume();
  }

  /** Takes all there is. */
  readAll(): void {
    this.wanted = Infinity;
  }

  halfClose(): void {
    this.stream.end();
  }

  cancel(): void {
    this.abandon();
    this.finish();
  }

  /** An answer without a message has its status here. */
  onHeaders(headers: IncomingHttpHeaders): void {
    this.isAnswered = true;
    this.said = statusIn(headers);
    const foreign = this.said === undefined ? statusOfForeign(headers) : undefined;
    if (foreign !== undefined) this.end(foreign);
  }

  onData(chunk: Buffer): void {
    if (this.final !== undefined) return;
    const fault = this.frames.read(chunk, this);
    if (this.unread.length > 0) this.stream.pause();
    if (fault !== undefined) this.end(statusOfFault(fault, this.connection.mostBytes));
  }

  onFrame(message: Buffer): void {
    if (this.wanted > 0) this.handOut(message);
    else this.unread.push(message);
  }

  onTrailers(headers: IncomingHttpHeaders): void {
    this.said = statusIn(headers) ?? this.said;
  }

  /** Without a status the reason follows when the stream is closed; a server may also leave it half open. */
  onEnd(): void {
    if (this.said !== undefined) this.end(this.statusSaid(this.said));
    else if (!this.stream.closed) this.end(this.statusless());
  }

  onError(error: NodeJS.ErrnoException): void {
    this.lastError = error;
  }

  onClose(): void {
    if (this.final === undefined && !this.isDone) this.end(this.statusOfClose());
  }

  private handOut(message: Buffer | undefined): void {
    if (message === undefined || this.isDone) return;
    this.wanted -= 1;
    this.listener.onMessage(message);
  }

  private statusSaid(said: RpcStatus): RpcStatus {
    const isCutOff = said.code === GrpcCode.ok && this.frames.isWithinMessage;
    return isCutOff ? broken('the answer ended in the middle of a message') : said;
  }

  private statusOfClose(): RpcStatus {
    const { id, rstCode } = this.stream;
    const reason = this.lastError === undefined ? '' : `: ${this.lastError.message}`;
    if (id === undefined) return this.unstarted(reason);
    const isReset = this.lastError?.code === 'ERR_HTTP2_STREAM_ERROR' || !this.connection.isGone();
    if (!isReset) return broken(`the connection was lost${reason}`);
    if (rstCode === constants.NGHTTP2_NO_ERROR) return this.statusless();
    const status = statusOfReset(rstCode);
    // Who has begun to answer cannot have refused.
    return this.isAnswered ? broken(status.details) : status;
  }

  /** A bit that flipped on the way can have got into the table of headers, where all later answers would find it. */
  private statusless(): RpcStatus {
    this.connection.distrust('an answer came without a status');
    return statusOfReset(constants.NGHTTP2_NO_ERROR);
  }

  /** All numbers for streams are used up, or the connection went down in this moment. */
  private unstarted(reason: string): RpcStatus {
    this.connection.distrust('no more calls can be started on it');
    return unsent(`the call could not be started${reason}`);
  }

  /** The first reason counts. What is left is of no use: to a server that has answered, or of an answer that is none. */
  private end(status: RpcStatus): void {
    if (this.final !== undefined) return;
    this.final = status;
    const isWhole = this.stream.writableFinished && this.stream.readableEnded;
    if (!isWhole) this.abandon();
    if (this.unread.length === 0) this.tell(status);
  }

  /** A paused stream whose server has ended it would stay, with what it holds, for as long as the connection. */
  private abandon(): void {
    if (this.stream.closed) this.stream.destroy();
    else this.stream.close(constants.NGHTTP2_CANCEL);
  }

  private tell(status: RpcStatus): void {
    if (this.finish()) this.listener.onStatus(status);
  }

  /** Not when the stream is closed: a peer that takes nothing more in would keep it from that. */
  private finish(): boolean {
    if (this.isDone) return false;
    this.isDone = true;
    this.connection.callEnded();
    return true;
  }
}
