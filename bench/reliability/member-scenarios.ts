/** Faults of a cluster of three under a client: members die, freeze, hang, restart, or are not there yet. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { startCluster, startProxy, type Etcd } from '../../test/support/index.js';
import { auditOf, costsOf, type Figures, type Make, type Scenario } from './figures.js';
import { Load, PATIENCE_MS, timed, untilFirstSuccess, warmUp } from './load.js';

const FAULT_MS = Number(process.env['BENCH_FAULT_MS'] ?? 20_000);
const DOWN_AT_START_MS = 5_000;
const NO_QUORUM_MS = 6_000;
const FRESH_CLIENTS = 12;

export const MEMBER_SCENARIOS: Readonly<Record<string, Scenario>> = {
  'leader-kill': { title: 'kill -9 of the leader under 50 calls/s', run: leaderKill },
  'rolling-restart': { title: 'rolling restart of all three members under 50 calls/s', run: rollingRestart },
  'frozen-member': { title: `a member frozen for ${FAULT_MS / 1_000} s under 50 calls/s`, run: frozenMember },
  'black-hole': { title: `an endpoint black-holed for ${FAULT_MS / 1_000} s under 50 calls/s`, run: blackHole },
  'no-quorum': { title: `two of three members dead for ${NO_QUORUM_MS / 1_000} s`, run: noQuorum },
  'down-at-start': {
    title: `all members down when the client is made, up ${DOWN_AT_START_MS / 1_000} s later`,
    run: downAtStart,
  },
  'silent-endpoint': {
    title: `one of three endpoints takes connections and says nothing, ${FRESH_CLIENTS} fresh clients`,
    run: silentEndpoint,
  },
};

async function leaderKill(make: Make): Promise<Figures> {
  await using cluster = await startCluster();
  const subject = make({ endpoints: cluster.endpoints });
  await warmUp(subject);
  const load = new Load(subject, 'load/');
  await delay(1_500);
  const leader = await cluster.leaderIndex();
  const killedAt = performance.now();
  await cluster.members[leader]!.kill();
  await cluster.leaderIndex();
  const electionMs = performance.now() - killedAt;
  await delay(4_000);
  await load.stop();
  const figures = { ...costsOf(load), ...(await audit(cluster, load, subject)), 'the election alone, ms': electionMs };
  await subject.close();
  return figures;
}

async function rollingRestart(make: Make): Promise<Figures> {
  await using cluster = await startCluster();
  const subject = make({ endpoints: cluster.endpoints });
  await warmUp(subject);
  const load = new Load(subject, 'load/');
  for (const member of cluster.members) {
    await member.stop();
    await member.restart();
    await cluster.leaderIndex();
    await delay(1_000);
  }
  await load.stop();
  const figures = { ...costsOf(load), ...(await audit(cluster, load, subject)) };
  await subject.close();
  return figures;
}

async function frozenMember(make: Make): Promise<Figures> {
  await using cluster = await startCluster();
  const subject = make({ endpoints: cluster.endpoints });
  await warmUp(subject);
  const load = new Load(subject, 'load/');
  await delay(1_000);
  const frozen = cluster.members[((await cluster.leaderIndex()) + 1) % 3]!;
  await frozen.freeze();
  await delay(FAULT_MS);
  await frozen.resume();
  await load.stop();
  const figures = { ...costsOf(load), ...(await audit(cluster, load, subject)) };
  await subject.close();
  return figures;
}

async function blackHole(make: Make): Promise<Figures> {
  await using cluster = await startCluster();
  await using proxy = await startProxy({ targetPort: cluster.members[0]!.port });
  const subject = make({ endpoints: [proxy.endpoint, ...cluster.endpoints.slice(1)] });
  await warmUp(subject);
  const load = new Load(subject, 'load/');
  await delay(1_000);
  proxy.blackHole();
  await delay(FAULT_MS);
  await proxy.mend();
  await load.stop();
  const figures = { ...costsOf(load), ...(await audit(cluster, load, subject)) };
  await subject.close();
  return figures;
}

async function noQuorum(make: Make): Promise<Figures> {
  await using cluster = await startCluster();
  const subject = make({ endpoints: cluster.endpoints });
  await warmUp(subject);
  await Promise.all([cluster.members[1]!.kill(), cluster.members[2]!.kill()]);
  const load = new Load(subject, 'load/', 5);
  await delay(NO_QUORUM_MS);
  await cluster.members[1]!.restart({ waitUntilReady: false });
  await cluster.leaderIndex();
  const { tookMs } = await untilFirstSuccess(subject);
  await load.stop();
  const figures = {
    'first success once there is a leader, ms': tookMs,
    'slowest call, ms': Math.max(load.slowestMs('read'), load.slowestMs('write')),
    'writes failed': load.failed('write').length,
    ...(await audit(cluster, load, subject)),
  };
  await subject.close();
  return figures;
}

async function downAtStart(make: Make): Promise<Figures> {
  await using cluster = await startCluster();
  await Promise.all(cluster.members.map((member) => member.kill()));
  const subject = make({ endpoints: cluster.endpoints });
  const trying = untilFirstSuccess(subject).then(() => performance.now());
  await delay(DOWN_AT_START_MS);
  await Promise.all(cluster.members.map((member) => member.restart({ waitUntilReady: false })));
  await cluster.leaderIndex();
  const backAt = performance.now();
  const succeededAt = await trying;
  await subject.close();
  return { 'first success once there is a leader, ms': Math.max(0, succeededAt - backAt) };
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
  const endpoints = [endpoint, ...cluster.endpoints.slice(0, 2)];
  const subjects = Array.from({ length: FRESH_CLIENTS }, () => make({ endpoints }));
  const taken = await Promise.all(subjects.map((subject) => timed(() => subject.get('first'))));
  await Promise.all(subjects.map((subject) => subject.close()));
  for (const socket of sockets) socket.destroy();
  silent.close();
  return {
    'slowest first answer, ms': Math.max(...taken.map((ms) => ms ?? PATIENCE_MS)),
    'clients without an answer': taken.filter((ms) => ms === undefined).length,
  };
}

async function audit(cluster: Etcd, load: Load, subject: Parameters<typeof auditOf>[1]): Promise<Figures> {
  await cluster.leaderIndex();
  const stored = (await cluster.gateway.getPrefix('load/')).map(({ key, version }) => [key, version] as const);
  return auditOf(load, subject, new Map(stored));
}
