/** Why a connection could not be made, read out of what grpc-js and Node.js say about it. */

/** Cuts the cause out of grpc-js's text, `No connection established. Last error: …. Resolution note: …`. */
export function connectFailure(details: string): string {
  const parts = /Last error: ([\s\S]*?)\.? Resolution note:\s*([\s\S]*)$/.exec(details);
  if (parts === null) return details;
  const [, error = '', note = ''] = parts;
  const cause = error === 'null' || error === '' ? note.trim() || details : readable(error);
  return `${cause}${hint(cause)}`;
}

/** Without the time grpc-js adds, and with the words of an OpenSSL error instead of its numbers and source lines. */
function readable(error: string): string {
  const text = error
    .replace(/\(\d{4}-\d\d-\d\dT[^)]*\)\s*$/, '')
    .replace(/^Error: /, '')
    .trim();
  const openssl = /error:[0-9A-F]+:([^:]*):[^:]*:([^:]*):/.exec(text);
  return openssl === null ? text : `${openssl[1] ?? 'TLS'}: ${openssl[2] ?? text}`;
}

/** OpenSSL's and Node.js's words for certificates that do not fit and for talking TLS to a port that does not. */
const TLS_FAULT =
  /certificate|self.signed|altnames|unable to (?:verify|get)|wrong version number|packet length too long|EPROTO|alert |SSL routines|not signed|PEM|wants TLS|does not speak TLS/i;

/** A host that is away, whose name may hold any of those words. */
const HOST_FAULT = /^(?:connect |getaddrinfo |Name resolution failed)/;

/** Whether only a change of certificates, names or schemes can mend it. */
export function isConfigurationFault(reason: string): boolean {
  return TLS_FAULT.test(reason) && !HOST_FAULT.test(reason);
}

function hint(cause: string): string {
  if (/wrong version number|packet length too long/i.test(cause)) return ' (does the endpoint speak TLS?)';
  return cause === 'Protocol error' ? ' (does the endpoint speak HTTP/2?)' : '';
}
