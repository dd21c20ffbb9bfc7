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
    throw new EtcdConfigError(
      option,
      `must be a readable file: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
