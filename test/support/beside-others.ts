/** The stage on which our locks and elections meet those of other programs: one etcd, a client, and programs that end with each test. */
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { startChild, type Child } from './child.js';
import type { Etcd } from './etcd/cluster.js';
import { startEtcd } from './etcd/start.js';
import { eventually } from './eventually.js';

/** What is there from the first test on. */
export interface Stage {
  readonly etcd: Etcd;
  readonly client: EtcdClient;
  /** Of the lock or election: another one in each test. */
  readonly name: string;
  /** Starts a program, which is ended after the test. */
  readonly run: (program: string, args: readonly string[]) => Promise<Child>;
  /** The keys in the queue of that name. */
  readonly keys: () => Promise<string[]>;
  readonly untilQueued: (count: number) => Promise<unknown>;
}

/** Sets the stage for the file that calls this. @param who begins the names. */
export function besideOthers(who: string): Stage {
  const children: Child[] = [];
  let tests = 0;
  const keys = async (): Promise<string[]> =>
    (await stage.etcd.gateway.getPrefix(`${stage.name}/`)).map(({ key }) => key);
  const stage = {
    keys,
    untilQueued: (count: number) =>
      eventually(async () => (await keys()).length === count, { what: `${count} keys in the queue` }),
    run: async (program: string, args: readonly string[]) => {
      const child = await startChild(program, args);
      children.push(child);
      return child;
    },
  } as { -readonly [part in keyof Stage]: Stage[part] };

  beforeAll(async () => {
    stage.etcd = await startEtcd();
    stage.client = new EtcdClient({ endpoints: stage.etcd.endpoints });
  });

  beforeEach(() => {
    stage.name = `${who}/${process.pid}/${++tests}`;
  });

  afterEach(() => Promise.all(children.splice(0).map((child) => child.stop())));

  afterAll(async () => {
    await stage.client.close();
    await stage.etcd.stop();
  });

  return stage;
}
