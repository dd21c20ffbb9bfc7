/** sample/03-cluster-jobs as three processes on a real etcd: one leads and does each tick once, through a crash, a farewell and a freeze. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { builtSample } from '../support/built.js';
import { eventually, freePorts, listening, startChild, startEtcd, type Child, type Etcd } from '../support/index.js';
import { runningMs } from '../support/running-time.js';

/** What `GET /cluster` says. */
interface State {
  readonly instance: string;
  readonly isLeader: boolean;
  readonly leader: string | null;
  readonly candidates: readonly string[];
  readonly ticks: readonly { readonly tick: number; readonly by: string; readonly late: number }[];
}

interface Instance {
  readonly name: string;
  readonly url: string;
  readonly process: Child;
}

const NAMESPACE = 'cluster-jobs/';
const TTL_SECONDS = 4;
const NAMES = ['one', 'two', 'three'];

let etcd: Etcd;
let instances: Instance[] = [];

beforeAll(async () => {
  etcd = await startEtcd({ own: true });
  const ports = await freePorts(NAMES.length);
  instances = await Promise.all(NAMES.map((name, index) => startInstance(name, ports[index]!)));
  await Promise.all(instances.map(({ process: child, url }) => listening(child, url)));
  await eventually(async () => (await candidates()).length === NAMES.length, { what: 'all', timeoutMs: 30_000 });
}, 120_000);

afterAll(async () => {
  await Promise.all(instances.map(({ process: child }) => child.stop()));
  await etcd.stop();
}, 30_000);

async function startInstance(name: string, port: number): Promise<Instance> {
  const env = {
    PORT: String(port),
    INSTANCE: name,
    TTL_SECONDS: String(TTL_SECONDS),
    ETCD_ENDPOINTS: etcd.endpoint,
    NO_COLOR: '1',
  };
  const child = await startChild(process.execPath, [join(builtSample('03-cluster-jobs'), 'main.js')], { env });
  return { name, url: `http://127.0.0.1:${port}`, process: child };
}

/** The names of those who lead or wait to, in their order, as the store has them. */
async function candidates(): Promise<string[]> {
  const kvs = await etcd.gateway.getPrefix(`${NAMESPACE}leader/`);
  return kvs.sort((a, b) => a.createRevision - b.createRevision).map(({ value }) => value);
}

async function leader(): Promise<Instance> {
  const [name] = await candidates();
  return instances.find((each) => each.name === name)!;
}

async function leaderOtherThan(before: Instance): Promise<Instance> {
  const next = async (): Promise<Instance | false> => {
    const now = (await candidates())[0];
    return instances.find(({ name }) => name === now && name !== before.name) ?? false;
  };
  return (await eventually(next, { what: 'another leader', timeoutMs: 20_000, everyMs: 10 })) as Instance;
}

async function stateOf({ url }: Instance): Promise<State> {
  return (await fetch(`${url}/cluster`, { headers: { connection: 'close' } })).json() as Promise<State>;
}

/** The first thing that an instance streams. */
async function streamed({ url }: Instance): Promise<State> {
  const leaving = new AbortController();
  const response = await fetch(`${url}/cluster/events`, { signal: leaving.signal });
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body! as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes('}\n\n')) break;
  }
  leaving.abort();
  const [, json = ''] = /^data: (.*)$/m.exec(text)!;
  return JSON.parse(json) as State;
}

/** How often each tick was written, from the history of the store. */
async function writesByTick(): Promise<Map<number, { by: string; writes: number }>> {
  const writes = new Map<number, { by: string; writes: number }>();
  for (const event of await etcd.gateway.history(`${NAMESPACE}ticks/`)) {
    if (event.type !== 'put') continue;
    const tick = Number(event.kv.key.slice(`${NAMESPACE}ticks/`.length));
    const { by } = JSON.parse(event.kv.value) as { by: string };
    writes.set(tick, { by, writes: (writes.get(tick)?.writes ?? 0) + 1 });
  }
  return writes;
}

/** Waits until the instance has done two ticks more. */
async function ticksGoOn({ name }: Instance): Promise<void> {
  const doneBy = async (): Promise<number> =>
    [...(await writesByTick()).values()].filter(({ by }) => by === name).length;
  const before = await doneBy();
  await eventually(async () => (await doneBy()) >= before + 2, { what: `ticks by ${name}`, timeoutMs: 20_000 });
}

/** Every tick from the first to the last was done, and once. */
async function expectEachTickOnce(): Promise<void> {
  const writes = await writesByTick();
  const ticks = [...writes.keys()].sort((a, b) => a - b);
  expect(ticks.length).toBeGreaterThanOrEqual(2);
  expect(ticks).toEqual(ticks.map((_, index) => ticks[0]! + index));
  expect([...writes.values()].filter((each) => each.writes !== 1)).toEqual([]);
  const said = instances.flatMap(({ process: child }) =>
    [...child.output.matchAll(/tick (\d+) done/g)].map(([, n]) => n),
  );
  expect(new Set(said).size).toBe(said.length);
}

/** One story of three processes: each part begins where the one before has ended. */
describe('sample/03-cluster-jobs', () => {
  it('K3 has one leader, does every tick once, and shows both on every instance', async () => {
    const first = await leader();
    await ticksGoOn(first);
    const seesIt = ({ leader: name, ticks }: State): boolean => name === first.name && ticks[0]?.by === first.name;
    await eventually(async () => (await Promise.all(instances.map(stateOf))).every(seesIt), {
      what: 'all to see the leader and its ticks',
    });
    const states = await Promise.all(instances.map(stateOf));
    const page = await (await fetch(first.url, { headers: { connection: 'close' } })).text();

    expect(states.map(({ isLeader }) => isLeader)).toEqual(instances.map(({ name }) => name === first.name));
    expect(states[0]).toMatchObject({ instance: 'one', candidates: await candidates() });
    expect(page).toContain('cluster/events');
    expect(await streamed(first)).toMatchObject({ instance: first.name, leader: first.name });
    await expectEachTickOnce();
  }, 60_000);

  it('K2 refuses the writes of a leader that was frozen, and does every tick once', async () => {
    const first = await leader();

    first.process.signal('SIGSTOP');
    const second = await leaderOtherThan(first);
    first.process.signal('SIGCONT');
    await ticksGoOn(second);
    await eventually(async () => (await candidates()).length === NAMES.length, {
      what: 'the one that was frozen as a candidate',
      timeoutMs: 20_000,
    });

    expect((await stateOf(first)).isLeader).toBe(false);
    await expectEachTickOnce();
  }, 60_000);

  it('K3 has another leader after the TTL when the leader crashes, and does every tick once', async () => {
    const first = await leader();

    const killedAt = runningMs();
    first.process.signal('SIGKILL');
    const second = await leaderOtherThan(first);
    const tookMs = runningMs() - killedAt;
    await ticksGoOn(second);

    // The promise is the TTL and one second, on a machine that has nothing else to do.
    expect(tookMs).toBeLessThan((TTL_SECONDS + 3) * 1_000);
    expect(await candidates()).toHaveLength(NAMES.length - 1);
    await expectEachTickOnce();
  }, 60_000);

  it('M6 hands over at once when the leader is told to end, and leaves nothing behind when all are', async () => {
    const first = await leader();

    const toldAt = runningMs();
    first.process.signal('SIGTERM');
    const second = await leaderOtherThan(first);
    const tookMs = runningMs() - toldAt;
    await ticksGoOn(second);
    const exit = await first.process.exited();
    second.process.signal('SIGTERM');
    await second.process.exited();

    // The promise is 200 ms. By the TTL it would be two thirds of it at the least, 2,667 ms.
    expect(tookMs).toBeLessThan(2_500);
    expect(exit).toEqual({ code: null, signal: 'SIGTERM' });
    expect([await candidates(), await etcd.gateway.leases()]).toEqual([[], []]);
    expect(first.process.output).not.toMatch(/error/i);
    await expectEachTickOnce();
  }, 60_000);
});
