/** Free loopback ports that no outgoing connection can take by chance. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const LOWEST = 10_000;
const ATTEMPTS = 200;

/**
 * Picks ports that nobody listens on.
 *
 * They lie below the range from which the kernel takes ports for outgoing connections. Inside it, a client that
 * keeps dialling a dead port can be given that very port and connect to itself, and the member cannot come back.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count; attempt++) {
    if (attempt === ATTEMPTS) throw new Error(`no ${count} free ports found between ${LOWEST} and ${highest()}`);
    const port = LOWEST + Math.floor(Math.random() * (highest() - LOWEST));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

/** Whether a listener could be opened on the port at this moment. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** The lower end of the kernel's range for outgoing connections, or the usual one when it cannot be read. */
function highest(): number {
  try {
    const lower = Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10);
    return lower > LOWEST + 1000 ? lower : 32_768;
  } catch {
    return 32_768;
  }
}
