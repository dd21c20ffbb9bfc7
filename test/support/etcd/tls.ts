/** TLS of a cluster's client ports: the files its members read, and what a client needs to get in. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CertificateAuthority, type KeyPair } from './certificates.js';
import { type FlagValue } from './flags.js';

const CLIENT_NAME = 'root';

export interface TlsOptions {
  /** Whether clients must show a certificate of the same authority. @default false */
  readonly clientCertAuth?: boolean;
  /** Signs everything. @default a fresh one */
  readonly authority?: CertificateAuthority;
  /** What the members show. @default a good one for localhost and 127.0.0.1 */
  readonly server?: KeyPair;
}

export interface ClusterTls {
  readonly authority: CertificateAuthority;
  /** The authority's certificate as PEM text, and the file it is in. */
  readonly ca: string;
  readonly caFile: string;
  /** A good client certificate, with the common name `root`, and the files it is in. */
  readonly client: KeyPair;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  /** @internal What the rig itself shows: without a name, since the gateway refuses callers that have one. */
  readonly nameless: KeyPair;
  /** @internal */
  readonly flags: Readonly<Record<string, FlagValue>>;
  /** Gives the members another certificate; they show it from the next connection on. */
  replaceServerCertificate(server: KeyPair): Promise<unknown>;
}

/** Makes the certificates and writes them to `<folder>/tls`. */
export async function prepareTls(folder: string, options: TlsOptions): Promise<ClusterTls> {
  const { clientCertAuth = false, authority = await CertificateAuthority.create() } = options;
  const files = join(folder, 'tls');
  await mkdir(files, { recursive: true });
  const client = await authority.issueClient(CLIENT_NAME);
  const caFile = await write(join(files, 'ca.pem'), authority.ca);
  const serverFiles = await writePair(files, 'server', options.server ?? (await authority.issueServer()));
  const clientFiles = await writePair(files, 'client', client);
  return {
    authority,
    ca: authority.ca,
    caFile,
    client,
    nameless: await authority.issueClient(),
    clientCertFile: clientFiles.certFile,
    clientKeyFile: clientFiles.keyFile,
    flags: {
      'cert-file': serverFiles.certFile,
      'key-file': serverFiles.keyFile,
      ...(clientCertAuth && { 'client-cert-auth': true, 'trusted-ca-file': caFile }),
    },
    replaceServerCertificate: (server) => writePair(files, 'server', server),
  };
}

async function writePair(folder: string, name: string, pair: KeyPair): Promise<{ certFile: string; keyFile: string }> {
  const keyFile = await write(join(folder, `${name}-key.pem`), pair.key);
  const certFile = await write(join(folder, `${name}.pem`), pair.cert);
  return { certFile, keyFile };
}

/** In one step, so that a member never reads half a file. */
async function write(path: string, text: string): Promise<string> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return path;
}
