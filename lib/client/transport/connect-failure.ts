/** Why a connection could not be made, in words for the one who reads the error, and whether waiting can help. */

/** What went wrong with a connection. */
export function reasonOfError(error: Error): string {
  return readableReason(error.message);
}

/** With the words of an OpenSSL error instead of its numbers and source lines, and with advice where the cause is a riddle. */
export function readableReason(text: string): string {
  const openssl = /error:[0-9A-F]+:([^:]*):[^:]*:([^:]*):/.exec(text);
  const cause = openssl === null ? text : `${openssl[1] ?? 'TLS'}: ${openssl[2] ?? text}`;
  return `${cause}${hint(cause)}`;
}

/** OpenSSL's and Node.js's words for certificates that do not fit and for talking TLS to a port that does not. */
const TLS_FAULT =
  /certificate|self.signed|altnames|unable to (?:verify|get)|wrong version number|packet length too long|EPROTO|alert |SSL routines|not signed|PEM|wants TLS|does not speak TLS/i;

/** A host that is away, whose name may hold any of those words. */
const HOST_FAULT = /^(?:connect |getaddrinfo |Name resolution failed)/;

/** Whether a host, or its name, could not be found; `undefined` stands for a peer that hung up, so it was there. */
export function isAway(reason: string | undefined): boolean {
  return reason !== undefined && HOST_FAULT.test(reason);
}

/** Whether only a change of certificates, names or schemes can mend it. */
export function isConfigurationFault(reason: string): boolean {
  return TLS_FAULT.test(reason) && !HOST_FAULT.test(reason);
}

function hint(cause: string): string {
  if (/wrong version number|packet length too long/i.test(cause)) return ' (does the endpoint speak TLS?)';
  return cause === 'Protocol error' ? ' (does the endpoint speak HTTP/2?)' : '';
}
