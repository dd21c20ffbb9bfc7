/** How a call ended: read out of headers and trailers, or made up from the way its HTTP/2 stream ended. */
import { constants, type IncomingHttpHeaders } from 'node:http2';
import { GrpcCode, type RpcStatus } from '../transport.js';
import type { FrameFault } from './grpc-frames.js';

const HTTP_OK = 200;
/** What nearly all calls end with. */
const OK: RpcStatus = { code: GrpcCode.ok, details: '' };
const GRPC_CONTENT = /^application\/grpc(?:$|[+;])/;

/** gRPC's translation of HTTP's status, for what a proxy answers (grpc `doc/http-grpc-status-mapping.md`). */
const CODE_OF_HTTP: ReadonlyMap<number, number> = new Map([
  [400, GrpcCode.internal],
  [401, GrpcCode.unauthenticated],
  [403, GrpcCode.permissionDenied],
  [404, GrpcCode.unimplemented],
  [429, GrpcCode.unavailable],
  [502, GrpcCode.unavailable],
  [503, GrpcCode.unavailable],
  [504, GrpcCode.unavailable],
]);

/** By their numbers (RFC 9113, section 7). */
const RESET_NAMES = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

/** The status in trailers, or in the headers of an answer that has nothing else; `undefined` when there is none. */
export function statusIn(headers: IncomingHttpHeaders): RpcStatus | undefined {
  const { 'grpc-status': code, 'grpc-message': message } = headers;
  if (code === undefined) return undefined;
  if (code === '0' && !message) return OK;
  return { code: codeOf(String(code)), details: unescaped(message) };
}

/** What is no number proves nothing, least of all that all went well. */
function codeOf(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : GrpcCode.unknown;
}

/** The status for an answer that is not gRPC's: of a proxy, or of a server of something else. */
export function statusOfForeign(headers: IncomingHttpHeaders): RpcStatus | undefined {
  const http = Number(headers[':status']);
  const { 'content-type': content = 'none' } = headers;
  if (http === HTTP_OK && GRPC_CONTENT.test(content)) return undefined;
  const code = CODE_OF_HTTP.get(http) ?? GrpcCode.unknown;
  return { code, details: `Received HTTP status code ${http}, content type ${content}, instead of an answer in gRPC` };
}

/** The status for a stream that the server ended by RST_STREAM, or without saying how the call went. */
export function statusOfReset(reset: number): RpcStatus {
  const name = RESET_NAMES[reset] ?? String(reset);
  if (reset === constants.NGHTTP2_NO_ERROR) return broken('the server ended the call without a status');
  // By GOAWAY too, for streams that came after it: nobody has begun to carry them out (RFC 9113, section 8.7).
  if (reset === constants.NGHTTP2_REFUSED_STREAM) return unsent('the server refused the stream');
  return broken(`the server reset the stream (${name})`);
}

/** The status for a call whose request never left. */
export function unsent(reason: string): RpcStatus {
  return { code: GrpcCode.unavailable, details: reason, cut: 'unsent' };
}

/** The status for a call that was cut off: whatever was sent may have been carried out. */
export function broken(reason: string): RpcStatus {
  return { code: GrpcCode.unavailable, details: reason, cut: 'broken' };
}

/** The status for an answer that cannot be read. */
export function statusOfFault(fault: FrameFault, mostBytes: number): RpcStatus {
  switch (fault.name) {
    case 'compressed':
      return { code: GrpcCode.internal, details: 'Received a compressed message, which was not asked for' };
    case 'too-large': {
      const details = `Received message larger than max (${fault.bytes} vs ${mostBytes})`;
      return { code: GrpcCode.resourceExhausted, details };
    }
  }
}

/** Percent-encoded UTF-8; shown as it came where it is neither. */
function unescaped(message: string | string[] | undefined): string {
  const text = String(message ?? '');
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
