/** Certificates and keys for TLS: PEM text, bytes, or files that are read anew for every connection. */
import { readFileSync } from 'node:fs';
import { EtcdConfigError } from '../errors.js';
import type { EtcdTlsOptions, PemSource } from '../options.js';

/** What a TLS connection is made with; `null` where the option was left out. */
export interface TlsMaterial {
  readonly ca: Buffer | null;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
}

/**
 * Reads the three sources.
 *
 * @throws {EtcdConfigError} when a file cannot be read; the message names the file, never its content.
 */
export function readTlsFiles(tls: EtcdTlsOptions): TlsMaterial {
  return { ca: read('tls.ca', tls.ca), cert: read('tls.cert', tls.cert), key: read('tls.key', tls.key) };
}

function read(option: string, source: PemSource | undefined): Buffer | null {
  if (source === undefined) return null;
  if (typeof source !== 'string') return Buffer.from(source);
  if (source.includes('-----BEGIN')) return Buffer.from(source);
  try {
    return readFileSync(source);
  } catch (error) {
    throw new EtcdConfigError(option, `must be PEM text or a readable file: ${reasonOf(error, source)}`);
  }
}

/** A long run of base64 can only be a key or certificate whose PEM frame got lost: that is no path, and not to be shown. */
const BARE_BASE64 = /^[A-Za-z0-9+/=\s]{60,}$/;

/** Node.js's message of the failure repeats the path, so it is shown only when it is one. */
function reasonOf(error: unknown, path: string): string {
  if (BARE_BASE64.test(path) || path.trim().includes('\n'))
    return 'it looks like a key or certificate without its -----BEGIN line';
  return error instanceof Error ? error.message : String(error);
}
