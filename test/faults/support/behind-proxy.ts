/** The stage of suites about one connection: a member behind a proxy, and a client that reaches it through that. */
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { EtcdClient } from '../../../lib/client/client.js';
import { eventually, startEtcd, startProxy, type Etcd, type TcpProxy } from '../../support/index.js';

/** What is there from the first test on. */
export interface Stage {
  readonly etcd: Etcd;
  /** Mended after each test. */
  readonly proxy: TcpProxy;
  /** A new one for each test, connected. */
  readonly client: EtcdClient;
}

/** Sets the stage for the file that calls this. */
export function behindProxy(): Stage {
  const stage = {} as { -readonly [part in keyof Stage]: Stage[part] };

  beforeAll(async () => {
    stage.etcd = await startEtcd({ own: true });
    stage.proxy = await startProxy({ targetPort: stage.etcd.members[0]!.port });
  }, 60_000);

  beforeEach(async () => {
    stage.client = new EtcdClient({ endpoints: stage.proxy.endpoint });
    await stage.client.ready();
  });

  afterEach(async () => {
    await stage.client.close();
    await stage.proxy.mend({ held: 'drop' });
  });

  afterAll(async () => {
    await stage.proxy.close();
    await stage.etcd.stop();
  });

  return stage;
}

/**
 * Makes a call whose request arrives and whose first answer never does, and then breaks the connection.
 *
 * @param arrived whether the member has carried it out.
 */
export async function loseAnswer<T>(
  { client, proxy }: Stage,
  call: () => Promise<T>,
  arrived: () => boolean | Promise<boolean>,
): Promise<PromiseSettledResult<T>> {
  await client.ready();
  proxy.hold('s2c');
  const running = Promise.allSettled([call()]);
  await eventually(arrived, { what: 'the effect of the call', everyMs: 5 });
  proxy.reset();
  proxy.release({ held: 'drop' });
  const [settled] = await running;
  return settled;
}
