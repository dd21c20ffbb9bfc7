/** C6: certificates from text, bytes and files, read anew for each connection. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readTlsFiles } from '../../../lib/client/transport/tls-files.js';

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tls-files-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('readTlsFiles', () => {
  it('takes PEM text, bytes, and the path of a file', () => {
    const file = join(folder, 'cert.pem');
    writeFileSync(file, PEM);

    const material = readTlsFiles({ ca: PEM, cert: Buffer.from(PEM), key: file });

    expect(material).toEqual({ ca: Buffer.from(PEM), cert: Buffer.from(PEM), key: Buffer.from(PEM) });
  });

  it('has nothing where nothing was given', () => {
    expect(readTlsFiles({})).toEqual({ ca: null, cert: null, key: null });
  });

  it('reads a file anew each time, so that a replaced certificate is used', () => {
    const file = join(folder, 'rotated.pem');
    writeFileSync(file, 'old -----BEGIN');
    readTlsFiles({ ca: file });

    writeFileSync(file, 'new -----BEGIN');

    expect(String(readTlsFiles({ ca: file }).ca)).toBe('new -----BEGIN');
  });

  it('keeps its own copy of bytes that were passed', () => {
    const bytes = Buffer.from(PEM);
    const { ca } = readTlsFiles({ ca: bytes });

    bytes.fill(0);

    expect(String(ca)).toBe(PEM);
  });

  it('names the option and the file that cannot be read', () => {
    const file = join(folder, 'missing.pem');

    const read = (): unknown => readTlsFiles({ cert: file });

    expect(read).toThrow('option tls.cert must be PEM text or a readable file: ');
    expect(read).toThrow(`ENOENT: no such file or directory, open '${file}'`);
  });

  it.each([
    ['a key that lost its frame', 'MC4CAQAwBQYDK2VwBCIEIA+very/secret+key/material0123456789ABCDEFGH=='],
    ['a key in lines that lost its frame', 'MC4CAQAw\nBQYDK2VwBCIEIA\n'],
  ])('C5: does not repeat %s', (_, key) => {
    let message = '';
    try {
      readTlsFiles({ key });
    } catch (error) {
      message = (error as Error).message;
    }

    expect(message).toContain('option tls.key');
    expect(message).toContain('without its -----BEGIN line');
    expect(message).not.toContain(key.slice(0, 8));
  });
});
