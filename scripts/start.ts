/** `npm start`: builds the library and sample/01-basic, and runs the sample with an etcd of its own until Ctrl-C. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { eventually, startEtcd, type Etcd } from '../test/support/index.js';
import { startGuarded, waitForExit, type Exit, type GuardedProcess } from '../test/support/guarded-process.js';
import { show } from './command.js';
import { ROOT_FOLDER, tool } from './project.js';

const MAIN_FILE = join(ROOT_FOLDER, 'sample/01-basic/dist/main.js');
const DEFAULT_PORT = 3000;
const START_TIMEOUT_MS = 30_000;
/** Longer than the sample's slowest request, which ends with its call to etcd after 5 seconds. */
const STOP_TIMEOUT_MS = 10_000;

/** Something the person who typed the command can mend; told in one line, without a stack. */
class StartError extends Error {}

async function choosePort(): Promise<number> {
  const text = process.env['PORT'] ?? '';
  const port = text === '' ? DEFAULT_PORT : Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StartError(`PORT must be a whole number from 1 to 65535, but is ${JSON.stringify(text)}.`);
  }
  await requireFree(port);
  return port;
}

/** Asked before anything is built, and in the same way as the sample will ask: on every address. */
async function requireFree(port: number): Promise<void> {
  const server = createServer().listen(port);
  await once(server, 'listening').catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`Port ${port} cannot be used (${reason}). Choose another one: PORT=${port + 1} npm start`);
  });
  server.close();
  await once(server, 'close');
}

async function build(project: string): Promise<void> {
  const code = await show({ command: tool('nest'), args: ['build', project] });
  if (code !== 0) throw new StartError(`The build of ${project} failed.`);
}

/** @throws {StartError} that lists every place where an etcd was looked for. */
async function getEtcd(): Promise<Etcd> {
  try {
    return await startEtcd({ log: (line) => console.log(line) });
  } catch (error) {
    throw new StartError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function startSample(port: number, etcd: Etcd): Promise<GuardedProcess> {
  const env = { ...process.env, PORT: String(port), ETCD_ENDPOINTS: etcd.endpoints.join(',') };
  return startGuarded(process.execPath, ['--enable-source-maps', MAIN_FILE], { env, output: process.stdout.fd });
}

async function untilItAnswers(url: string, sample: GuardedProcess): Promise<void> {
  let exit: Exit | undefined;
  void sample.exited.then((seen) => (exit = seen));
  await eventually(async () => exit ?? (await fetch(`${url}/health`)).status === 200, {
    what: `an answer of ${url}/health`,
    timeoutMs: START_TIMEOUT_MS,
    everyMs: 100,
  });
  if (exit) throw new StartError(`The sample ended while it started (${describeExit(exit)}).`);
}

function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${String(code)}` : signal;
}

function showRoutes(url: string, etcd: Etcd): void {
  const isOurs = etcd.members.length > 0;
  const json = `-H 'content-type: application/json' -d`;
  console.log(`
sample/01-basic  ${url}
etcd ${etcd.version}      ${etcd.endpoints.join(', ')}${isOurs ? ' (its data goes when this command ends)' : ''}

  curl -X PUT    ${url}/kv/greeting ${json} '{"value":"hello"}'
  curl           ${url}/kv/greeting
  curl           '${url}/kv?prefix=gre&limit=10'
  curl -X POST   ${url}/kv/greeting/compare-and-set ${json} '{"expected":"hello","value":"hi"}'
  curl -X DELETE ${url}/kv/greeting
  curl           ${url}/health
  curl           ${url}/metrics

Ctrl-C stops ${isOurs ? 'both' : 'the sample'}.`);
}

/** The first asks for an orderly end. The next one finds no listener, so it ends this process and all it started at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
  });
}

async function stopSample(sample: GuardedProcess): Promise<void> {
  sample.child.kill('SIGTERM');
  const escalation = setTimeout(() => sample.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await waitForExit(sample);
  clearTimeout(escalation);
}

/** Runs until a signal comes or the sample ends by itself. */
async function runSample(port: number, etcd: Etcd): Promise<void> {
  const url = `http://localhost:${port}`;
  const stopped = stopSignal();
  const sample = await startSample(port, etcd);
  try {
    await Promise.race([stopped, untilItAnswers(url, sample).then(() => showRoutes(url, etcd))]);
    const crash = waitForExit(sample).then((exit) => {
      throw new StartError(`The sample ended by itself (${describeExit(exit)}).`);
    });
    await Promise.race([stopped, crash]);
  } finally {
    await stopSample(sample);
  }
}

async function main(): Promise<void> {
  const port = await choosePort();
  console.log('Building nest-etcd and sample/01-basic');
  await build('lib');
  await build('basic');
  await using etcd = await getEtcd();
  await runSample(port, etcd);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof StartError ? error.message : error);
  process.exitCode = 1;
}
