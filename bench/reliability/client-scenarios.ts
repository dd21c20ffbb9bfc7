/** Faults between a client and one member: outages, lost answers, tokens that end, a close at the wrong moment. */
import { setTimeout as delay } from 'node:timers/promises';
import { startEtcd, startProxy, type Etcd } from '../../test/support/index.js';
import type { Figures, Make, Scenario } from './figures.js';
import { Load, timed, untilFirstSuccess, warmUp, withPatience } from './load.js';

const OUTAGE_MS = Number(process.env['BENCH_OUTAGE_MS'] ?? 30_000);
const LOST_ANSWERS = 8;
const EXPIRED_CALLS = 1_000;

export const CLIENT_SCENARIOS: Readonly<Record<string, Scenario>> = {
  outage: { title: `everything refused for ${OUTAGE_MS / 1_000} s`, run: outage },
  'lost-answers': {
    title: `${LOST_ANSWERS} puts and ${LOST_ANSWERS} creates whose answers are lost`,
    run: lostAnswers,
  },
  'token-expiry': { title: `${EXPIRED_CALLS} reads at once with a token that has ended`, run: tokenExpiry },
  close: { title: 'close() with a get and a put in flight on a dead network', run: close },
};

async function outage(make: Make): Promise<Figures> {
  await using etcd = await startEtcd({ own: true });
  await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  const subject = make({ endpoints: [proxy.endpoint] });
  await warmUp(subject);
  await proxy.cut();
  const load = new Load(subject, 'load/', 5);
  await delay(OUTAGE_MS);
  await proxy.mend();
  const { tookMs } = await untilFirstSuccess(subject);
  await load.stop();
  await subject.close();
  return { 'first success once it is over, ms': tookMs };
}

async function lostAnswers(make: Make): Promise<Figures> {
  await using etcd = await startEtcd({ own: true });
  await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  const subject = make({ endpoints: [proxy.endpoint] });
  const count = { twice: 0, denied: 0, creates: 0 };

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
    if (subject.deniesWrite(put)) count.denied += 1;
    if (((await etcd.gateway.get(`put/${index}`))?.version ?? 0) > 1) count.twice += 1;
    const created = await lose(`create/${index}`, () => subject.create(`create/${index}`, 'x'));
    if (subject.deniesWrite(created)) count.denied += 1;
    if (created === false) count.creates += 1;
  }
  await subject.close();
  return {
    'puts applied twice': count.twice,
    'creates refused as not the first, though they were': count.creates,
    'said to be not applied, though it was': count.denied,
  };
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
    'until the last is answered, ms': tookMs,
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
