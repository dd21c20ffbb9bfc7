/** What is done to a cluster under a client, and the figures taken. Each scenario starts an etcd of its own. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { startCluster, startEtcd, startProxy, type Etcd } from '../../test/support/index.js';
import { Load, PATIENCE_MS, timed, withPatience } from './calls.js';
import type { Place, Subject } from './subjects.js';

/** Figures of one run, by name. Less is better in all of them. */
export type Figures = Readonly<Record<string, number>>;

type Make = (place: Place) => Subject;

/** One scenario. */
export interface Scenario {
  /** In words, for the table. */
  readonly title: string;
  readonly run: (make: Make) => Promise<Figures>;
}

const OUTAGE_MS = Number(process.env['BENCH_OUTAGE_MS'] ?? 30_000);
const FAULT_MS = 8_000;
const LOST_ANSWERS = 8;
const EXPIRED_CALLS = 1_000;

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'leader-kill': { title: 'kill -9 of the leader, 50 calls/s', run: leaderKill },
  'frozen-member': { title: `one of three members frozen for ${FAULT_MS / 1_000} s, 50 calls/s`, run: frozenMember },
  'black-hole': { title: `one of three endpoints black-holed for ${FAULT_MS / 1_000} s, 50 calls/s`, run: blackHole },
  outage: { title: `everything refused for ${OUTAGE_MS / 1_000} s, then back`, run: outage },
  'no-quorum': { title: 'two of three members dead for 6 s, then one back', run: noQuorum },
  'silent-endpoint': { title: 'first call of 12 fresh clients, one of three endpoints silent', run: silentEndpoint },
  'lost-answers': {
    title: `${LOST_ANSWERS} puts and ${LOST_ANSWERS} creates whose answers are lost`,
    run: lostAnswers,
  },
  'token-expiry': { title: `${EXPIRED_CALLS} reads at once with an expired token`, run: tokenExpiry },
  close: { title: 'close() with a get and a put in flight on a dead network', run: close },
};

async function warmUp(subject: Subject, calls = 10): Promise<void> {
  for (let call = 0; call < calls; call++) await withPatience(subject.get('warm'));
}

async function leaderKill(make: Make): Promise<Figures> {
  await using cluster = await startCluster();
  const subject = make({ endpoints: cluster.endpoints });
  await warmUp(subject);
  const load = new Load(subject, 'kill/');
  await delay(1_500);
  const leader = await cluster.leaderIndex();
  const killedAt = performance.now();
  await cluster.members[leader]!.kill();
  await cluster.leaderIndex();
  const electionMs = performance.now() - killedAt;
  await delay(4_000);
  await load.stop();
  const audit = await auditWrites(cluster, subject, load);
  await subject.close();
  return {
    'gap without a success, ms': load.longestGapMs(),
    'of which election, ms': electionMs,
    'reads failed': load.failed('read').length,
    'writes failed': load.failed('write').length,
    ...audit,
  };
}

async function frozenMember(make: Make): Promise<Figures> {
  await using cluster = await startCluster();
  const subject = make({ endpoints: cluster.endpoints });
  await warmUp(subject);
  const load = new Load(subject, 'frozen/');
  await delay(1_000);
  const frozen = cluster.members[((await cluster.leaderIndex()) + 1) % 3]!;
  await frozen.freeze();
  await delay(FAULT_MS);
  await frozen.resume();
  await load.stop();
  await subject.close();
  return costs(load);
}

async function blackHole(make: Make): Promise<Figures> {
  await using cluster = await startCluster();
  await using proxy = await startProxy({ targetPort: cluster.members[0]!.port });
  const subject = make({ endpoints: [proxy.endpoint, ...cluster.endpoints.slice(1)] });
  await warmUp(subject);
  const load = new Load(subject, 'hole/');
  await delay(1_000);
  proxy.blackHole();
  await delay(FAULT_MS);
  await proxy.mend();
  await load.stop();
  await subject.close();
  return costs(load);
}

function costs(load: Load): Figures {
  return {
    'slowest read, ms': load.slowestMs('read'),
    'slowest write, ms': load.slowestMs('write'),
    'reads failed': load.failed('read').length,
    'writes failed': load.failed('write').length,
  };
}

async function outage(make: Make): Promise<Figures> {
  await using etcd = await startEtcd({ own: true });
  await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  const subject = make({ endpoints: [proxy.endpoint] });
  await warmUp(subject);
  await proxy.cut();
  const load = new Load(subject, 'outage/', 5);
  await delay(OUTAGE_MS);
  await proxy.mend();
  const recoveryMs = await untilFirstSuccess(subject);
  await load.stop();
  await subject.close();
  return { 'first success after, ms': recoveryMs };
}

async function noQuorum(make: Make): Promise<Figures> {
  await using cluster = await startCluster();
  const subject = make({ endpoints: cluster.endpoints });
  await warmUp(subject);
  await Promise.all([cluster.members[1]!.kill(), cluster.members[2]!.kill()]);
  const load = new Load(subject, 'quorum/', 5);
  await delay(6_000);
  await cluster.members[1]!.restart({ waitUntilReady: false });
  await cluster.leaderIndex();
  const recoveryMs = await untilFirstSuccess(subject);
  await load.stop();
  await subject.close();
  return { 'first success after, ms': recoveryMs };
}

/** How long until a new read succeeds; each try is one call of a user who tries again. */
async function untilFirstSuccess(subject: Subject): Promise<number> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < 60_000) {
    if ((await timed(() => subject.get('recovery'))) !== undefined) break;
    await delay(10);
  }
  return performance.now() - startedAt;
}

async function silentEndpoint(make: Make): Promise<Figures> {
  await using cluster = await startCluster();
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.resume();
  });
  await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening));
  const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const subjects = Array.from({ length: 12 }, () => make({ endpoints: [endpoint, ...cluster.endpoints.slice(0, 2)] }));
  const taken = await Promise.all(subjects.map((subject) => timed(() => subject.get('first'))));
  await Promise.all(subjects.map((subject) => subject.close()));
  for (const socket of sockets) socket.destroy();
  silent.close();
  return {
    'slowest first answer, ms': Math.max(...taken.map((ms) => ms ?? PATIENCE_MS)),
    [`of 12 without one in ${PATIENCE_MS / 1_000} s`]: taken.filter((ms) => ms === undefined).length,
  };
}

async function lostAnswers(make: Make): Promise<Figures> {
  await using etcd = await startEtcd({ own: true });
  await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  const subject = make({ endpoints: [proxy.endpoint] });
  const figures = { 'puts applied twice': 0, 'creates refused as not first, though ours': 0, 'false "not applied"': 0 };

  const lose = async (key: string, call: () => Promise<unknown>): Promise<unknown> => {
    await untilFirstSuccess(subject);
    proxy.hold('s2c');
    const running = withPatience(call()).catch((error: unknown) => error);
    while ((await etcd.gateway.get(key)) === undefined) await delay(5);
    proxy.reset();
    proxy.release({ held: 'drop' });
    return running;
  };

  for (let index = 0; index < LOST_ANSWERS; index++) {
    const put = await lose(`put/${index}`, () => subject.put(`put/${index}`, 'x'));
    if (subject.claimsNotApplied(put)) figures['false "not applied"'] += 1;
    if (((await etcd.gateway.get(`put/${index}`))?.version ?? 0) > 1) figures['puts applied twice'] += 1;
    const created = await lose(`create/${index}`, () => subject.create(`create/${index}`, 'x'));
    if (subject.claimsNotApplied(created)) figures['false "not applied"'] += 1;
    if (created === false) figures['creates refused as not first, though ours'] += 1;
  }
  await subject.close();
  return figures;
}

async function tokenExpiry(make: Make): Promise<Figures> {
  await using etcd = await startEtcd({ own: true, auth: { token: 'simple', tokenTtlSeconds: 3 } });
  const { name: username, password } = etcd.auth.root!;
  const subject = make({ endpoints: etcd.endpoints, auth: { username, password } });
  await warmUp(subject);
  await delay(5_000);
  const before = await authenticateCalls(etcd);
  const startedAt = performance.now();
  const taken = await Promise.all(Array.from({ length: EXPIRED_CALLS }, () => timed(() => subject.get('a'))));
  const tookMs = performance.now() - startedAt;
  const calls = (await authenticateCalls(etcd)) - before;
  await subject.close();
  return {
    'Authenticate calls': calls,
    'reads failed': taken.filter((ms) => ms === undefined).length,
    'all answered after, ms': tookMs,
  };
}

/** By the member's own metrics. */
async function authenticateCalls({ endpoint }: Etcd): Promise<number> {
  const text = await (await fetch(`${endpoint}/metrics`)).text();
  const line = /^grpc_server_started_total\{[^}]*grpc_method="Authenticate"[^}]*\} (\S+)$/m.exec(text);
  return Number(line?.[1] ?? 0);
}

async function close(make: Make): Promise<Figures> {
  await using etcd = await startEtcd({ own: true });
  await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  const subject = make({ endpoints: [proxy.endpoint] });
  await warmUp(subject);
  proxy.blackHole();
  const running = [subject.get('a'), subject.put('a', 'x')].map((call) => timed(() => call));
  await delay(200);
  const startedAt = performance.now();
  await subject.close();
  await Promise.all(running);
  return { 'until every call has ended, ms': performance.now() - startedAt };
}

/** Holds every write of a load against the store, read without the client. */
async function auditWrites(cluster: Etcd, subject: Subject, load: Load): Promise<Figures> {
  const stored = new Map((await cluster.gateway.getPrefix('kill/')).map((kv) => [kv.key, kv.version]));
  const writes = load.calls.filter(({ kind }) => kind === 'write');
  return {
    'writes acknowledged and lost': writes.filter(({ error, key }) => error === undefined && !stored.has(key)).length,
    'writes applied twice': writes.filter(({ key }) => (stored.get(key) ?? 0) > 1).length,
    'false "not applied"': writes.filter(({ error, key }) => subject.claimsNotApplied(error) && stored.has(key)).length,
  };
}
