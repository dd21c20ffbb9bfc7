/** `npm start`, `npm run start:live`, `start:cluster`: builds the library and a sample where that is to do, and runs the sample with an etcd of its own until Ctrl-C. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { isLibraryBuilt, isSampleBuilt } from '../test/support/built.js';
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
  /** How many of it run, on one port after the other. */
  readonly instances: number;
  /** Answers with 200 once it serves. */
  readonly readyPath: string;
  /** What to try, a line each. */
  readonly hints: (url: string, instances: readonly Instance[]) => readonly string[];
}

/** A sample that runs. */
interface Instance {
  readonly name: string;
  readonly url: string;
  readonly process: GuardedProcess;
}

const JSON_BODY = `-H 'content-type: application/json' -d`;

const SAMPLES: readonly Sample[] = [
  {
    project: 'basic',
    folder: 'sample/01-basic',
    command: 'npm start',
    instances: 1,
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
    instances: 1,
    readyPath: '/',
    hints: (url) => [
      `open     ${url} in two windows, and edit in one of them`,
      `curl -N  ${url}/live`,
      `curl     -X PUT ${url}/keys/greeting ${JSON_BODY} '{"value":"hello","revision":null}'`,
    ],
  },
  {
    project: 'cluster',
    folder: 'sample/03-cluster-jobs',
    command: 'npm run start:cluster',
    instances: 3,
    readyPath: '/cluster',
    hints: (url, instances) => [
      `open ${instances.map((each) => each.url).join(' or ')}: who leads, and who did which tick`,
      `curl ${url}/cluster`,
      ...instances.map(({ name, process: { pid } }) => `kill -9 ${pid}   # ends ${name}, kill ${pid} tells it to end`),
    ],
  },
];

const DEFAULT_PORT = 3000;
const HIGHEST_PORT = 65_535;
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

async function choosePorts({ command, instances }: Sample): Promise<readonly number[]> {
  const text = process.env['PORT'] ?? '';
  const first = text === '' ? DEFAULT_PORT : Number(text);
  const highest = HIGHEST_PORT - instances + 1;
  if (!Number.isInteger(first) || first < 1 || first > highest) {
    throw new StartError(`PORT must be a whole number from 1 to ${highest}, but is ${JSON.stringify(text)}.`);
  }
  const ports = Array.from({ length: instances }, (_, index) => first + index);
  for (const port of ports) await requireFree(port, `PORT=${first + instances} ${command}`);
  return ports;
}

/** Asked before anything is built, and in the same way as the sample will ask: on every address. */
async function requireFree(port: number, otherwise: string): Promise<void> {
  const server = createServer().listen(port);
  await once(server, 'listening').catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`Port ${port} cannot be used (${reason}). Choose another one: ${otherwise}`);
  });
  server.close();
  await once(server, 'close');
}

/** Leaves alone what is up to date: another program may be running from it. */
async function buildAll({ project, folder }: Sample): Promise<void> {
  if (!isLibraryBuilt()) await build('lib');
  if (!isSampleBuilt(basename(folder))) await build(project);
}

async function build(project: string): Promise<void> {
  console.log(`Building ${project === 'lib' ? 'nest-etcd' : `the sample ${project}`}`);
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

async function startInstance({ folder }: Sample, name: string, port: number, etcd: Etcd): Promise<Instance> {
  const mainFile = join(ROOT_FOLDER, folder, 'dist/main.js');
  const env = { ...process.env, PORT: String(port), INSTANCE: name, ETCD_ENDPOINTS: etcd.endpoints.join(',') };
  const output = process.stdout.fd;
  const started = await startGuarded(process.execPath, ['--enable-source-maps', mainFile], { env, output });
  return { name, url: `http://localhost:${port}`, process: started };
}

async function untilItAnswers(readyUrl: string, running: GuardedProcess): Promise<void> {
  let exit: Exit | undefined;
  void running.exited.then((seen) => (exit = seen));
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

function showHints({ folder, hints }: Sample, instances: readonly Instance[], etcd: Etcd): void {
  const isOurs = etcd.members.length > 0;
  const urls = instances.map(({ url }) => url);
  console.log(`
${folder}  ${urls.join(' ')}
etcd ${etcd.version}      ${etcd.endpoints.join(', ')}${isOurs ? ' (its data goes when this command ends)' : ''}

${hints(urls[0] ?? '', instances)
  .map((line) => `  ${line}`)
  .join('\n')}

Ctrl-C stops ${isOurs ? 'all of it' : 'the sample'}.`);
}

/** The first asks for an orderly end. The next one finds no listener, so it ends this process and all it started at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
  });
}

async function stop({ process: { child }, process: running }: Instance): Promise<void> {
  child.kill('SIGTERM');
  const escalation = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await waitForExit(running);
  clearTimeout(escalation);
}

/** Resolves when the last one has ended; of the others it says so, unless all are told to end. */
async function untilAllEnded(instances: readonly Instance[], told: Promise<unknown>): Promise<Exit | undefined> {
  let left = instances.length;
  let isTold = false;
  void told.then(() => (isTold = true));
  const exits = instances.map(async ({ name, process: running }) => {
    const exit = await waitForExit(running);
    left -= 1;
    if (left > 0 && !isTold) console.log(`${name} has ended (${describeExit(exit)}); ${left} left`);
    return exit;
  });
  return (await Promise.all(exits)).at(-1);
}

/** Runs until a signal comes or the sample ends by itself. */
async function runSample(sample: Sample, ports: readonly number[], etcd: Etcd): Promise<void> {
  const stopped = stopSignal();
  const instances: Instance[] = [];
  try {
    for (const [index, port] of ports.entries()) {
      instances.push(await startInstance(sample, `instance-${index + 1}`, port, etcd));
    }
    const answers = instances.map(({ url, process: running }) => untilItAnswers(`${url}${sample.readyPath}`, running));
    await Promise.race([stopped, Promise.all(answers).then(() => showHints(sample, instances, etcd))]);
    const crash = untilAllEnded(instances, stopped).then((exit) => {
      throw new StartError(`The sample ended by itself (${exit === undefined ? 'no instance' : describeExit(exit)}).`);
    });
    await Promise.race([stopped, crash]);
  } finally {
    await Promise.all(instances.map(stop));
  }
}

async function main(): Promise<void> {
  const sample = chooseSample(process.argv[2]);
  const ports = await choosePorts(sample);
  await buildAll(sample);
  await using etcd = await getEtcd();
  await runSample(sample, ports, etcd);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof StartError ? error.message : error);
  process.exitCode = 1;
}
