/** The stage of suites on real apps and a real etcd: apps are closed after each test, and what their methods do is noted. */
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import type { DynamicModule, INestApplicationContext, ModuleMetadata, Provider } from '@nestjs/common';
import { EtcdModule, type EtcdModuleOptions } from '../../../lib/nest/index.js';
import { startEtcd, type Etcd } from '../../support/index.js';
import { startContext, type Started } from './apps.js';

type App = Started<INestApplicationContext>;

/** What is there from the first test on. */
export interface Stage {
  readonly etcd: Etcd;
  /** What methods have done, in order; empty at the start of each test. */
  readonly calls: string[];
  /** Closed after the test. */
  readonly apps: { close(): Promise<void> }[];
  /** `EtcdModule` on that etcd. */
  readonly client: (options?: Partial<EtcdModuleOptions> & { name?: string; isGlobal?: boolean }) => DynamicModule;
  /** Starts an app with the client and these providers. */
  readonly start: (providers: Provider[], metadata?: ModuleMetadata) => Promise<App>;
}

/** Sets the stage for the file that calls this. */
export function stageOfApps(): Stage {
  const apps: Stage['apps'] = [];
  const calls: string[] = [];
  const client: Stage['client'] = (options = {}) => EtcdModule.forRoot({ endpoints: stage.etcd.endpoints, ...options });
  const stage = {
    apps,
    calls,
    client,
    start: async (providers, metadata = {}) => {
      const started = await startContext({ imports: [client()], providers, ...metadata });
      apps.push(started.app);
      return started;
    },
  } as { -readonly [part in keyof Stage]: Stage[part] };

  beforeAll(async () => {
    stage.etcd = await startEtcd({ own: true });
  }, 60_000);

  beforeEach(() => {
    calls.length = 0;
  });

  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
  });

  afterAll(() => stage.etcd.stop());

  return stage;
}
