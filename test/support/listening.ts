/** Waits until a server that a test started takes connections. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Child } from './child.js';
import { eventually } from './eventually.js';

/**
 * A Nest app says that it started before it listens, so its output is no sign of that.
 *
 * @param app what is to listen.
 * @param url where: `http://127.0.0.1:3000`
 * @throws {Error} with what the app printed, when it ends instead.
 */
export async function listening(app: Child, url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const look = async (): Promise<boolean> => !app.isRunning || (await reachable(hostname, Number(port)));
  await eventually(look, { what: `a server on ${url}`, timeoutMs: 20_000 });
  if (!app.isRunning) throw new Error(`the server for ${url} ended; it printed:\n${app.output}`);
}

async function reachable(host: string, port: number): Promise<true> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
