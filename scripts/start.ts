/** `npm start`, `npm run start:live`: builds the library and a sample, and runs the sample with an etcd of its own until Ctrl-C. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { eventually, startEtcd, type Etcd } from '../test/support/index.js';
import { startGuarded, waitForExit, type Exit, type GuardedProcess } from '../test/support/guarded-process.js';
import { show } from './command.js';
import { ROOT_FOLDER, tool } from './project.js';

/** A sample that can be started. */
interface Sample {
  /** Its project in `nest-cli.json`. */
  readonly project: string;
  readonly folder: string;
  readonly command: string;
  /** Answers with 200 once it serves. */
  readonly readyPath: string;
  /** What to try, a line each. */
  readonly hints: (url: string) => readonly string[];
}

const JSON_BODY = `-H 'content-type: application/json' -d`;

const SAMPLES: readonly Sample[] = [
  {
    project: 'basic',
    folder: 'sample/01-basic',
    command: 'npm start',
    readyPath: '/health',
    hints: (url) => [
      `curl -X PUT    ${url}/kv/greeting ${JSON_BODY} '{"value":"hello"}'`,
      `curl           ${url}/kv/greeting`,
      `curl           '${url}/kv?prefix=gre&limit=10'`,
      `curl -X POST   ${url}/kv/greeting/compare-and-set ${JSON_BODY} '{"expected":"hello","value":"hi"}'`,
      `curl -X DELETE ${url}/kv/greeting`,
      `curl           ${url}/health`,
      `curl           ${url}/metrics`,
    ],
  },
  {
    project: 'live',
    folder: 'sample/02-live',
    command: 'npm run start:live',
    readyPath: '/',
    hints: (url) => [
      `open     ${url} in two windows, and edit in one of them`,
      `curl -N  ${url}/live`,
      `curl     -X PUT ${url}/keys/greeting ${JSON_BODY} '{"value":"hello","revision":null}'`,
    ],
  },
];

const DEFAULT_PORT = 3000;
const START_TIMEOUT_MS = 30_000;
/** Longer than the sample's slowest request, which ends with its call to etcd after 5 seconds. */
const STOP_TIMEOUT_MS = 10_000;

/** Something the person who typed the command can mend; told in one line, without a stack. */
class StartError extends Error {}

function chooseSample(project: string | undefined): Sample {
  const sample = SAMPLES.find((each) => each.project === project);
  if (sample !== undefined) return sample;
  throw new StartError(`Which sample? One of: ${SAMPLES.map((each) => each.project).join(', ')}.`);
}

async function choosePort({ command }: Sample): Promise<number> {
  const text = process.env['PORT'] ?? '';
  const port = text === '' ? DEFAULT_PORT : Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StartError(`PORT must be a whole number from 1 to 65535, but is ${JSON.stringify(text)}.`);
  }
  await requireFree(port, command);
  return port;
}

/** Asked before anything is built, and in the same way as the sample will ask: on every address. */
async function requireFree(port: number, command: string): Promise<void> {
  const server = createServer().listen(port);
  await once(server, 'listening').catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`Port ${port} cannot be used (${reason}). Choose another one: PORT=${port + 1} ${command}`);
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

function startSample({ folder }: Sample, port: number, etcd: Etcd): Promise<GuardedProcess> {
  const mainFile = join(ROOT_FOLDER, folder, 'dist/main.js');
  const env = { ...process.env, PORT: String(port), ETCD_ENDPOINTS: etcd.endpoints.join(',') };
  return startGuarded(process.execPath, ['--enable-source-maps', mainFile], { env, output: process.stdout.fd });
}

async function untilItAnswers(readyUrl: string, sample: GuardedProcess): Promise<void> {
  let exit: Exit | undefined;
  void sample.exited.then((seen) => (exit = seen));
  await eventually(async () => exit ?? (await fetch(readyUrl)).status === 200, {
    what: `an answer of ${readyUrl}`,
    timeoutMs: START_TIMEOUT_MS,
    everyMs: 100,
  });
  if (exit) throw new StartError(`The sample ended while it started (${describeExit(exit)}).`);
}

function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${String(code)}` : signal;
}

function showHints({ folder, hints }: Sample, url: string, etcd: Etcd): void {
  const isOurs = etcd.members.length > 0;
  console.log(`
${folder}  ${url}
etcd ${etcd.version}      ${etcd.endpoints.join(', ')}${isOurs ? ' (its data goes when this command ends)' : ''}

${hints(url)
  .map((line) => `  ${line}`)
  .join('\n')}

Ctrl-C stops ${isOurs ? 'both' : 'the sample'}.`);
}

/** The first asks for an orderly end. The next one finds no listener, so it ends this process and all it started at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
  });
}

async function stop(sample: GuardedProcess): Promise<void> {
  sample.child.kill('SIGTERM');
  const escalation = setTimeout(() => sample.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await waitForExit(sample);
  clearTimeout(escalation);
}

/** Runs until a signal comes or the sample ends by itself. */
async function runSample(sample: Sample, port: number, etcd: Etcd): Promise<void> {
  const url = `http://localhost:${port}`;
  const stopped = stopSignal();
  const running = await startSample(sample, port, etcd);
  try {
    const answers = untilItAnswers(`${url}${sample.readyPath}`, running);
    await Promise.race([stopped, answers.then(() => showHints(sample, url, etcd))]);
    const crash = waitForExit(running).then((exit) => {
      throw new StartError(`The sample ended by itself (${describeExit(exit)}).`);
    });
    await Promise.race([stopped, crash]);
  } finally {
    await stop(running);
  }
}

async function main(): Promise<void> {
  const sample = chooseSample(process.argv[2]);
  const port = await choosePort(sample);
  console.log(`Building nest-etcd and ${sample.folder}`);
  await build('lib');
  await build(sample.project);
  await using etcd = await getEtcd();
  await runSample(sample, port, etcd);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof StartError ? error.message : error);
  process.exitCode = 1;
}
