/** The program of a subject: makes the load that it is asked for, and says what came of it. Ends with its input. */
import { createInterface } from 'node:readline';
import type { LoadClient, MakeClient } from './client.js';
import { holdLeases, prepareView } from './holding.js';
import { catchUp } from './history.js';
import { prepareMetered } from './metered.js';
import { firstAnswer, peakOfRange } from './once.js';
import { prepareOperation } from './operations.js';
import type { Answer, Figures, Question, Task, Trial } from './protocol.js';
import { prepareWatching } from './watching.js';

const [subject = '', endpoint = ''] = process.argv.slice(2);

/** Each process loads one client only. */
const SUBJECTS: Readonly<Record<string, () => Promise<MakeClient>>> = {
  'nest-etcd': async () => (await import('./nest-etcd.js')).makeClient,
  'nest-etcd-single': async () => (await import('./nest-etcd.js')).makeSingleClient,
  'nest-etcd-scan': async () => (await import('./nest-etcd.js')).makeScanningClient,
  'nest-etcd-grpc-js': async () => (await import('./nest-etcd.js')).makeGrpcJsClient,
  'nest-etcd-metrics': async () => (await import('./nest-etcd.js')).loadMeteredClient(),
  etcd3: async () => (await import('./etcd3.js')).makeClient,
  'grpc-js': async () => (await import('./grpc-js.js')).makeClient,
};

const importedFrom = performance.now();
const makeClient = await SUBJECTS[subject]!();
const importMs = performance.now() - importedFrom;

const make = (): LoadClient => makeClient(endpoint);
const prepared = new Map<string, (trial: Trial) => Promise<Figures>>();
let shared: LoadClient | undefined;

/** What the subject is held against in its own process. */
async function makePlain(): Promise<LoadClient> {
  return (await SUBJECTS['nest-etcd']!())(endpoint);
}

async function prepare(task: Task): Promise<(trial: Trial) => Promise<Figures>> {
  switch (task.workload) {
    case 'leases':
      return (trial) => holdLeases(make, task, trial);
    case 'history':
      return () => catchUp(make, task);
    case 'start':
      return () => firstAnswer(make, task, importMs);
    case 'memory':
      return () => peakOfRange(make, task);
    case 'watch':
      return prepareWatching((shared ??= make()), task);
    case 'metered-get':
    case 'metered-put':
      return prepareMetered({ plain: await makePlain(), metered: (shared ??= make()) }, task);
    case 'view':
      return prepareView((shared ??= make()), task);
    case 'get':
    case 'put':
    case 'range':
    case 'txn-read':
    case 'txn-write':
      return prepareOperation((shared ??= make()), task);
  }
}

async function answer(question: Question): Promise<Answer> {
  try {
    if (question.what === 'measure') return { figures: await prepared.get(question.task)!(question.trial) };
    prepared.set(question.task.id, await prepare(question.task));
    return { figures: {} };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

const questions = createInterface({ input: process.stdin });
questions.on('line', (line) => {
  void answer(JSON.parse(line) as Question).then((said) => process.stdout.write(`${JSON.stringify(said)}\n`));
});
questions.on('close', () => process.exit(0));
