/** Certificates for tests, made on the spot: an authority, and whatever servers and clients should show. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const HOUR_MS = 3_600_000;

/** A certificate and its private key, as PEM text. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** How long a certificate counts. */
export interface Validity {
  /** @default an hour ago */
  readonly notBefore?: Date;
  /** @default in a day */
  readonly notAfter?: Date;
}

export interface ServerCertificateOptions extends Validity {
  /** @default none: etcd's gateway would take it for the name of a user */
  readonly commonName?: string;
  /** @default ['localhost'] */
  readonly dnsNames?: readonly string[];
  /** @default ['127.0.0.1', '::1'] */
  readonly ips?: readonly string[];
}

interface Subject extends Validity {
  readonly name: string;
  readonly names: readonly x509.JsonGeneralName[];
  readonly usages: readonly string[];
}

/** Signs certificates, each within a millisecond or so. */
export class CertificateAuthority {
  private constructor(
    private readonly certificate: x509.X509Certificate,
    private readonly keys: webcrypto.CryptoKeyPair,
  ) {}

  /** Makes a fresh authority that nobody else trusts. */
  static async create(commonName = 'nest-etcd test authority'): Promise<CertificateAuthority> {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: `CN=${commonName}`,
      serialNumber: serialNumber(),
      ...lifetime({}),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false),
      ],
    });
    return new CertificateAuthority(certificate, keys);
  }

  /** What those who trust this authority are given, as PEM text. */
  get ca(): string {
    return pem(this.certificate);
  }

  /** A certificate for a server on loopback; expired or wrong ones by its options. */
  issueServer(options: ServerCertificateOptions = {}): Promise<KeyPair> {
    const { commonName, dnsNames = ['localhost'], ips = ['127.0.0.1', '::1'] } = options;
    return this.issue({
      ...options,
      name: subjectOf(commonName),
      names: [
        ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
        ...ips.map((value) => ({ type: 'ip' as const, value })),
      ],
      usages: [SERVER_AUTH, CLIENT_AUTH], // etcd's gateway calls its own server with it
    });
  }

  /** @param commonName to etcd, the name of the user who shows the certificate. @default none */
  issueClient(commonName?: string, validity: Validity = {}): Promise<KeyPair> {
    return this.issue({ ...validity, name: subjectOf(commonName), names: [], usages: [CLIENT_AUTH] });
  }

  private async issue({ name, names, usages, ...validity }: Subject): Promise<KeyPair> {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      subject: name,
      issuer: this.certificate.subject,
      serialNumber: serialNumber(),
      ...lifetime(validity),
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([...usages]),
        await x509.AuthorityKeyIdentifierExtension.create(this.certificate, false),
        ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension([...names])] : []),
      ],
    });
    return { cert: pem(certificate), key: await privateKeyPem(keys.privateKey) };
  }
}

const subjectOf = (commonName?: string): string => (commonName === undefined ? '' : `CN=${commonName}`);

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

function lifetime({ notBefore, notAfter }: Validity): { notBefore: Date; notAfter: Date } {
  const end = notAfter ?? new Date(Date.now() + 24 * HOUR_MS);
  const start = notBefore ?? new Date(Math.min(Date.now(), end.getTime()) - HOUR_MS);
  return { notBefore: start, notAfter: end };
}

/** Positive, and not zero, as the standard asks. */
function serialNumber(): string {
  return `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex')}`;
}

const pem = (certificate: x509.X509Certificate): string => `${certificate.toString('pem')}\n`;

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey('pkcs8', key);
  return `${x509.PemConverter.encode(bytes, 'PRIVATE KEY')}\n`;
}
