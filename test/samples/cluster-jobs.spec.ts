/** sample/03-cluster-jobs as three processes on a real etcd: one leads and does each tick once, through a crash, a farewell and a freeze. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { builtSample } from '../support/built.js';
import { eventually, freePorts, listening, startChild, startEtcd, type Child, type Etcd } from '../support/index.js';

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
const TTL_SECONDS = 2;
const NAMES = ['one', 'two', 'three'];

let etcd: Etcd;
let instances: Instance[];
let firstRevision: number;

beforeAll(async () => {
  etcd = await startEtcd({ own: true });
}, 120_000);

afterAll(() => etcd.stop());

beforeEach(async () => {
  await etcd.gateway.deletePrefix(NAMESPACE);
  firstRevision = (await etcd.gateway.revision()) + 1;
  const ports = await freePorts(NAMES.length);
  instances = await Promise.all(NAMES.map((name, index) => startInstance(name, ports[index]!)));
  await Promise.all(instances.map(({ process: child, url }) => listening(child, url)));
  await eventually(async () => (await candidates()).length === NAMES.length, { what: 'all', timeoutMs: 30_000 });
}, 60_000);

afterEach(async () => {
  await Promise.all(instances.map(({ process: child }) => child.stop()));
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

/** How often each tick was written, from the history of the store. */
async function writesByTick(): Promise<Map<number, { by: string; writes: number }>> {
  const writes = new Map<number, { by: string; writes: number }>();
  for (const event of await etcd.gateway.history(`${NAMESPACE}ticks/`, firstRevision)) {
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
  expect(ticks.length).toBeGreaterThanOrEqual(4);
  expect(ticks).toEqual(ticks.map((_, index) => ticks[0]! + index));
  expect([...writes.values()].filter((each) => each.writes !== 1)).toEqual([]);
  const said = instances.flatMap(({ process: child }) =>
    [...child.output.matchAll(/tick (\d+) done/g)].map(([, n]) => n),
  );
  expect(new Set(said).size).toBe(said.length);
}

describe('sample/03-cluster-jobs', () => {
  it('K3 M6 has one leader, whose crash costs the others the TTL, and does every tick once', async () => {
    const first = await leader();
    await ticksGoOn(first);
    const states = await Promise.all(instances.map(stateOf));
    expect(states.map(({ isLeader }) => isLeader)).toEqual(instances.map(({ name }) => name === first.name));
    await eventually(
      async () => (await Promise.all(instances.map(stateOf))).every((state) => state.leader === first.name),
      { what: 'all to see the leader' },
    );

    const killedAt = performance.now();
    first.process.signal('SIGKILL');
    const second = await leaderOtherThan(first);
    const tookMs = performance.now() - killedAt;
    await ticksGoOn(second);

    expect(tookMs).toBeLessThan(TTL_SECONDS * 1_000 + 1_000);
    await expectEachTickOnce();
    expect(await candidates()).toHaveLength(2);
  }, 60_000);

  it('M6 hands over at once when the leader is told to end, and leaves nothing behind when all are', async () => {
    const first = await leader();
    await ticksGoOn(first);

    const toldAt = performance.now();
    first.process.signal('SIGTERM');
    const second = await leaderOtherThan(first);
    const tookMs = performance.now() - toldAt;
    await ticksGoOn(second);
    const exit = await first.process.exited();

    // The promise is 200 ms; by the TTL it would be 1,333 ms at the least.
    expect(tookMs).toBeLessThan(1_300);
    expect(exit).toEqual({ code: null, signal: 'SIGTERM' });
    await expectEachTickOnce();
    for (const { process: child } of instances) child.signal('SIGTERM');
    await Promise.all(instances.map(({ process: child }) => child.exited()));
    expect(await candidates()).toEqual([]);
    expect((await etcd.gateway.leases()).length).toBe(0);
    for (const { process: child } of instances) expect(child.output).not.toMatch(/error/i);
  }, 60_000);

  it('K2 refuses the writes of a leader that was frozen, and does every tick once', async () => {
    const first = await leader();
    await ticksGoOn(first);

    first.process.signal('SIGSTOP');
    const second = await leaderOtherThan(first);
    first.process.signal('SIGCONT');
    await ticksGoOn(second);
    await eventually(async () => (await candidates()).length === NAMES.length, {
      what: 'the first one as a candidate',
    });

    await expectEachTickOnce();
    expect((await stateOf(first)).isLeader).toBe(false);
  }, 60_000);

  it('streams what it shows', async () => {
    const first = await leader();
    await ticksGoOn(first);
    const leaving = new AbortController();
    const response = await fetch(`${first.url}/cluster/events`, { signal: leaving.signal });
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body! as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      if (text.split('event: state').length > 3) break;
    }
    leaving.abort();
    const page = await (await fetch(first.url, { headers: { connection: 'close' } })).text();

    const [, json = ''] = /data: (.*)/.exec(text)!;
    const state = JSON.parse(json) as State;
    expect(state).toMatchObject({ instance: first.name, leader: first.name, candidates: await candidates() });
    expect(state.ticks[0]).toMatchObject({ by: first.name, late: expect.any(Number) });
    expect(page).toContain('cluster/events');
  }, 60_000);
});
