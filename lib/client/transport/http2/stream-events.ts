/** Listens to an HTTP/2 stream by functions made once, not by six new ones for each call. */
import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';

/** Told what happens on a stream, in node:http2's order; `onClose` is the last call. */
export interface StreamEvents {
  onHeaders(headers: IncomingHttpHeaders): void;
  onData(chunk: Buffer): void;
  onTrailers(headers: IncomingHttpHeaders): void;
  /** All data was read. */
  onEnd(): void;
  onError(error: NodeJS.ErrnoException): void;
  onClose(): void;
}

const EVENTS = Symbol('events');

/** A stream that knows who is to be told. */
interface ToldStream extends ClientHttp2Stream {
  [EVENTS]?: StreamEvents;
}

/** @param stream just made: none of its events was emitted yet. */
export function listen(stream: ClientHttp2Stream, events: StreamEvents): void {
  const told: ToldStream = stream;
  told[EVENTS] = events;
  told.on('response', onResponse);
  told.on('data', onData);
  told.on('trailers', onTrailers);
  told.on('end', onEnd);
  told.on('error', onError);
  told.on('close', onClose);
}

function onResponse(this: ToldStream, headers: IncomingHttpHeaders): void {
  this[EVENTS]?.onHeaders(headers);
}

function onData(this: ToldStream, chunk: Buffer): void {
  this[EVENTS]?.onData(chunk);
}

function onTrailers(this: ToldStream, headers: IncomingHttpHeaders): void {
  this[EVENTS]?.onTrailers(headers);
}

function onEnd(this: ToldStream): void {
  this[EVENTS]?.onEnd();
}

function onError(this: ToldStream, error: NodeJS.ErrnoException): void {
  this[EVENTS]?.onError(error);
}

function onClose(this: ToldStream): void {
  this[EVENTS]?.onClose();
}
