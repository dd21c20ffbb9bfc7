/** Why a connection could not be made, read out of what grpc-js and Node.js say about it. */

/** Cuts the cause out of grpc-js's text, `No connection established. Last error: …. Resolution note: …`. */
export function connectFailure(details: string): string {
  const parts = /Last error: ([\s\S]*?)\.? Resolution note:\s*([\s\S]*)$/.exec(details);
  if (parts === null) return details;
  const [, error = '', note = ''] = parts;
  const cause = error === 'null' || error === '' ? note.trim() || details : error.replace(/^Error: /, '');
  return `${cause}${hint(cause)}`;
}

/** OpenSSL's and Node.js's words for certificates that do not fit and for talking TLS to a port that does not. */
const TLS_FAULT =
  /certificate|self.signed|altnames|unable to (?:verify|get)|wrong version number|packet length too long|EPROTO|alert |SSL routines|not signed|PEM/i;

/** Whether only a change of certificates, names or schemes can mend it. */
export function isConfigurationFault(reason: string): boolean {
  return TLS_FAULT.test(reason);
}

function hint(cause: string): string {
  if (/wrong version number|packet length too long/i.test(cause)) {
    return ' (the endpoint answered without TLS: is it http:// ?)';
  }
  return '';
}
