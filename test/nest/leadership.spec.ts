/** `@LeaderOnly()`, `@OnLeadershipAcquired()` and `@OnLeadershipLost()` in real apps on a real etcd: who leads, who is told, and what it leaves. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Get,
  Inject,
  Injectable,
  Scope,
  UseFilters,
  UseGuards,
  type ExecutionContext,
  type INestApplicationContext,
} from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { Cron, CronExpression, ScheduleModule } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import { Registry } from 'prom-client';
import { EtcdMetricsModule } from '../../lib/metrics/index.js';
import {
  currentLeadership,
  currentLock,
  EtcdElections,
  EtcdExceptionFilter,
  EtcdFollowerError,
  EtcdKv,
  EtcdLeadershipLostError,
  EtcdLocks,
  EtcdModule,
  EtcdModuleError,
  LeaderOnly,
  OnLeadershipAcquired,
  OnLeadershipLost,
  WithEtcdLock,
  type Leadership,
  type LeadershipLost,
} from '../../lib/nest/index.js';
import { errorOf } from '../support/failure.js';
import { eventually, startProxy, type Etcd } from '../support/index.js';
import { runningMs } from '../support/running-time.js';
import { rootModule, startHttp, type Started } from './support/apps.js';
import { CapturedLog } from './support/captured-log.js';
import { stageOfApps } from './support/stage.js';

const stage = stageOfApps();
const { apps, calls, client, start } = stage;
let etcd: Etcd;
/** A new one for each test, so that no test waits for the leases of another. */
let election: string;
let tests = 0;

beforeEach(() => {
  ({ etcd } = stage);
  election = `elections/${tests++}`;
});

/** The values of the candidates, the leader's first. */
async function candidates(): Promise<string[]> {
  const kvs = await etcd.gateway.getPrefix(`${election}/`);
  return kvs.sort((a, b) => a.createRevision - b.createRevision).map(({ value }) => value);
}

function called(count: number): Promise<unknown> {
  return eventually(() => calls.length >= count, { what: `${count} calls`, timeoutMs: 10_000 });
}

function leads({ app }: Started<INestApplicationContext>): Promise<unknown> {
  return eventually(() => app.get(EtcdElections).isLeader(election), { what: 'the leadership', timeoutMs: 10_000 });
}

async function leading(started: Started<INestApplicationContext>): Promise<Started<INestApplicationContext>> {
  await leads(started);
  return started;
}

/** A provider whose method runs on the leader only. */
function reports(): new () => { report(): Promise<string | undefined> } {
  class Reports {
    @LeaderOnly(election)
    async report(): Promise<string | undefined> {
      await delay(1);
      const leadership = currentLeadership();
      return `${leadership.name} ${leadership.isLeader}`;
    }
  }
  return Reports;
}

describe('an app with decorators of leaderships', () => {
  it('campaigns once for each election, however many methods name it, and says who it is', async () => {
    class Many {
      @LeaderOnly(election)
      async one(): Promise<void> {
        await Promise.resolve();
      }

      @LeaderOnly(election)
      async two(): Promise<void> {
        await Promise.resolve();
      }

      @OnLeadershipAcquired(election)
      acquired({ name }: Leadership): void {
        calls.push(`acquired ${name}`);
      }
    }
    class Other {
      @OnLeadershipAcquired(election)
      acquired({ isLeader }: Leadership): void {
        calls.push(`other ${isLeader}`);
      }
    }
    const started = await start([Many, Other], { imports: [client({ campaign: { value: 'web-1' } })] });
    await called(2);

    expect(calls.sort()).toEqual([`acquired ${election}`, 'other true']);
    expect(await candidates()).toEqual(['web-1']);
    expect((await started.app.get(EtcdElections).leader(election))?.value).toBe('web-1');
    expect(started.log.of('Etcd')).toContain(`log: leads election "${election}"`);
  });

  it('says host and process where it was not told what to say', async () => {
    await leads(await start([reports()]));

    expect(await candidates()).toEqual([expect.stringMatching(new RegExp(`^.+-${process.pid}$`))]);
  });

  it('takes the TTL and what it says from its options, which are checked', async () => {
    const Reports = reports();
    await leads(await start([Reports], { imports: [client({ campaign: { ttlSeconds: 7 } })] }));
    const [kv] = await etcd.gateway.getPrefix(`${election}/`);
    const { TTL } = (await etcd.gateway.call('/v3/lease/timetolive', { ID: String(BigInt(`0x${kv!.lease!}`)) })) as {
      TTL: string;
    };

    expect(Number(TTL)).toBeGreaterThan(0);
    expect(Number(TTL)).toBeLessThanOrEqual(7);
    for (const [option, campaign] of [
      ['campaign.ttlSeconds', { ttlSeconds: 0 }],
      ['campaign.ttlSeconds', { ttlSeconds: 9_000_000_001 }],
      ['campaign.value', { value: 7 }],
      ['campaign', 7],
    ] as const) {
      const error = await errorOf(start([Reports], { imports: [client({ campaign: campaign as object })] }));
      expect(error).toMatchObject({ code: 'ETCD_CONFIG', option, rule: expect.stringMatching(/^must be /) });
    }
  });

  it('starts without etcd, and leads when it is there', async () => {
    await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
    await proxy.cut('reset');
    const started = await start([reports()], {
      imports: [client({ endpoints: [proxy.endpoint], callTimeoutMs: 500 })],
    });
    const { log } = started;
    await eventually(() => log.text.includes('the campaign'), { what: 'a failure in the log', timeoutMs: 10_000 });

    await proxy.mend();
    await leads(started);

    expect(log.lines.filter(({ text }) => text.includes('the campaign'))).toHaveLength(1);
  }, 30_000);
});

describe('@LeaderOnly', () => {
  it('runs the method on the leader, and skips it on followers', async () => {
    const Reports = reports();
    const one = await start([Reports]);
    await leads(one);
    const two = await start([Reports]);
    await eventually(async () => (await candidates()).length === 2, { what: 'a follower' });

    const results = [one, two].map(({ app }) => app.get(Reports).report());

    expect(await Promise.all(results)).toEqual([`${election} true`, undefined]);
    expect([one, two].map(({ app }) => app.get(EtcdElections).isLeader(election))).toEqual([true, false]);
    expect(() => currentLeadership()).toThrow(EtcdModuleError);
  });

  it('throws on followers when told to, and HTTP answers 503', async () => {
    @Controller()
    class Reports {
      @Get('report')
      @LeaderOnly(election, { onFollower: 'throw' })
      async report(): Promise<string> {
        return Promise.resolve('done');
      }
    }
    const metadata = {
      imports: [client()],
      controllers: [Reports],
      providers: [{ provide: APP_FILTER, useClass: EtcdExceptionFilter }],
    };
    const leader = await startHttp(metadata);
    apps.push(leader.app);
    await leads(leader);
    const follower = await startHttp(metadata);
    apps.push(follower.app);

    const answers = await Promise.all([leader, follower].map(({ url }) => fetch(`${url}/report`)));
    const error = await errorOf(follower.app.get(Reports).report());

    expect(answers.map(({ status }) => status)).toEqual([200, 503]);
    expect(await answers[1]!.json()).toMatchObject({ code: 'ETCD_FOLLOWER', message: 'the store is not available' });
    expect(error).toBeInstanceOf(EtcdFollowerError);
    expect(error).toMatchObject({ electionName: election, message: expect.stringContaining('Reports@report') });
  });

  it('K2 rejects once the method has ended, when the leadership was lost meanwhile, and its guarded write is refused', async () => {
    @Injectable()
    class Reports {
      constructor(@Inject(EtcdKv) private readonly kv: EtcdKv) {}

      @LeaderOnly(election)
      async report(): Promise<void> {
        const { signal, guard } = currentLeadership();
        calls.push('begin');
        if (!signal.aborted) await once(signal, 'abort');
        calls.push(`written ${(await this.kv.txn().if(guard).then().commit()).succeeded}`);
      }
    }
    const started = await start([Reports]);
    await leads(started);
    const { app } = started;
    const running = errorOf(app.get(Reports).report());
    await called(1);

    await etcd.gateway.delete(app.get(EtcdElections).leadership(election)!.key);

    expect(await running).toBeInstanceOf(EtcdLeadershipLostError);
    expect(calls).toEqual(['begin', 'written false']);
    await leads(started);
  });

  it('stands above and below @Cron() and @WithEtcdLock()', async () => {
    class Jobs {
      @Cron(CronExpression.EVERY_SECOND)
      @LeaderOnly(election)
      async above(): Promise<void> {
        await Promise.resolve(calls.push(`above ${currentLeadership().isLeader}`));
      }

      @LeaderOnly(election)
      @WithEtcdLock('locks/led')
      @Cron(CronExpression.EVERY_SECOND)
      async below(): Promise<void> {
        await Promise.resolve(calls.push(`below ${currentLeadership().isLeader}`));
      }
    }
    const metadata = { imports: [client(), ScheduleModule.forRoot()] };
    const started = [await start([Jobs], metadata), await start([Jobs], metadata)];

    await eventually(() => new Set(calls).size === 2, { what: 'a tick of both', timeoutMs: 15_000 });

    expect(new Set(calls)).toEqual(new Set(['above true', 'below true']));
    for (const { log } of started) expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  }, 30_000);

  it('works with an instance that a factory made, and with a fake', async () => {
    const Reports = reports();
    const started = await start([{ provide: Reports, useFactory: () => new Reports() }]);
    await leads(started);
    const ifLeader = (_name: string, body: (leadership: Leadership) => unknown): unknown =>
      body({ name: 'fake', isLeader: true } as Leadership);
    const testing = Test.createTestingModule({
      providers: [Reports, { provide: EtcdElections, useValue: { ifLeader } }],
    });

    expect(await started.app.get(Reports).report()).toBe(`${election} true`);
    expect(await (await testing.compile()).get(Reports).report()).toBe('fake true');
  });
});

describe('@LeaderOnly above @WithEtcdLock', () => {
  it.each([
    ['is lost', 'key-gone', ({ key }: Leadership) => etcd.gateway.delete(key)],
    ['ends with the app', 'resigned', (_leadership: Leadership, app: INestApplicationContext) => app.close()],
  ])(
    'K2 M6 does not wait for the lock when the leadership %s, and does not run the method',
    async (_how, reason, end) => {
      const lockName = `locks/${election}`;
      class Jobs {
        @LeaderOnly(election)
        @WithEtcdLock(lockName)
        async run(): Promise<void> {
          await Promise.resolve(calls.push('never'));
        }
      }
      const holder = await start([]);
      const lock = await holder.app.get(EtcdLocks).acquire(lockName);
      const { app, log } = await leading(await start([Jobs]));
      const running = errorOf(app.get(Jobs).run());
      await eventually(async () => (await etcd.gateway.getPrefix(`${lockName}/`)).length === 2, {
        what: 'one that waits',
      });

      await end(app.get(EtcdElections).leadership(election)!, app);

      const error = await running;
      expect(error).toBeInstanceOf(EtcdLeadershipLostError);
      expect(error).toMatchObject({ electionName: election, reason });
      expect(lock.isHeld).toBe(true);
      expect(log.text).not.toContain('still runs');
      expect(calls).toEqual([]);
    },
  );

  it('says nothing to what the method has left behind', async () => {
    let leave!: () => void;
    const left = new Promise<void>((resolve) => (leave = resolve));
    class Jobs {
      @LeaderOnly(election)
      async run(): Promise<{ later: Promise<string> } | undefined> {
        return Promise.resolve({ later: left.then(() => this.write()) });
      }

      @WithEtcdLock('locks/later')
      async write(): Promise<string> {
        return Promise.resolve('written');
      }
    }
    const { app } = await leading(await start([Jobs]));
    const { later } = (await app.get(Jobs).run())!;
    const { key, signal } = app.get(EtcdElections).leadership(election)!;

    await etcd.gateway.delete(key);
    if (!signal.aborted) await once(signal, 'abort');
    leave();

    expect(await later).toBe('written');
  });
});

describe('@OnLeadershipAcquired and @OnLeadershipLost', () => {
  function told(): new () => object {
    class Told {
      private readonly events: string[] = [];

      @OnLeadershipAcquired(election)
      async acquired({ fencingToken }: Leadership): Promise<void> {
        calls.push(`acquired ${this.events.length} ${fencingToken > 0}`);
        await delay(20);
        calls.push('acquired ends');
      }

      @OnLeadershipLost(election)
      lost({ reason, error }: LeadershipLost): void {
        calls.push(`lost ${reason} ${error instanceof EtcdLeadershipLostError}`);
      }
    }
    return Told;
  }

  it('K3 tell of a loss, after which the app campaigns again', async () => {
    const started = await start([told()]);
    await leads(started);

    await etcd.gateway.delete(started.app.get(EtcdElections).leadership(election)!.key);
    await called(5);

    expect(calls).toEqual([
      'acquired 0 true',
      'acquired ends',
      'lost key-gone true',
      'acquired 0 true',
      'acquired ends',
    ]);
    expect(started.log.text).toContain('warn: does not lead any more');
  });

  it('tell of the end of the app, before it resigns', async () => {
    const Told = told();
    class Witness {
      @OnLeadershipLost(election)
      async lost(): Promise<void> {
        calls.push(`candidates ${(await candidates()).length}`);
      }
    }
    const { app } = await start([Told, Witness]);
    await called(2);

    await app.close();

    expect(calls.slice(0, 2)).toEqual(['acquired 0 true', 'acquired ends']);
    expect(calls.slice(2).sort()).toEqual(['candidates 1', 'lost resigned true']);
    expect(await candidates()).toEqual([]);
  });

  it('may run for as long as the leadership lasts', async () => {
    class Loop {
      @OnLeadershipAcquired(election)
      async run({ signal }: Leadership): Promise<void> {
        calls.push('begin');
        if (!signal.aborted) await once(signal, 'abort');
        calls.push(`end ${(await candidates()).length}`);
      }
    }
    const { app } = await start([Loop]);
    await called(1);

    await app.close();

    expect(calls).toEqual(['begin', 'end 1']);
  });

  it('M11 log a call that fails with Class@method and count it, and the app goes on leading', async () => {
    class Failing {
      @OnLeadershipAcquired(election)
      acquired(): Promise<void> {
        calls.push('acquired');
        throw new Error('thrown');
      }

      @OnLeadershipLost(election)
      lost(): Promise<void> {
        calls.push('lost');
        return Promise.reject(new Error('rejected'));
      }
    }
    const registry = new Registry();
    const imports = [client(), EtcdMetricsModule.forRoot({ registry, path: false })];
    const started = await start([Failing], { imports });
    await called(1);
    await leads(started);
    await etcd.gateway.delete(started.app.get(EtcdElections).leadership(election)!.key);
    await called(3);
    await leads(started);
    const errors = started.log.lines.filter(({ level }) => level === 'error').map(({ text }) => text);
    const metrics = await registry.metrics();

    expect(calls).toEqual(['acquired', 'lost', 'acquired']);
    expect(errors).toEqual([
      expect.stringMatching(/^Failing@acquired failed when the leadership of election ".*" was acquired: thrown\s/),
      expect.stringMatching(/^Failing@lost failed when the leadership of election ".*" was lost: rejected\s/),
      expect.stringContaining('Failing@acquired failed'),
    ]);
    for (const line of [
      'leadership_handler_failures_total 3',
      'leaderships_lost_total 1',
      'elections 1',
      'elections_led 1',
    ]) {
      const [name, value] = line.split(' ');
      expect(metrics).toContain(`etcd_client_${name}{client="default"} ${value}`);
    }
  });

  it('have guards and filters around them', async () => {
    class Once {
      canActivate(context: ExecutionContext): boolean {
        const [leadership] = context.getArgs<[Leadership]>();
        calls.push(`guard ${context.getType<string>()} ${leadership.name === election}`);
        return true;
      }
    }
    @Catch(RangeError)
    class Forgive {
      catch({ message }: RangeError): string {
        calls.push(`filter ${message}`);
        return 'forgiven';
      }
    }
    class Guarded {
      @OnLeadershipAcquired(election)
      @UseGuards(Once)
      @UseFilters(Forgive)
      acquired(): void {
        throw new RangeError('too far');
      }
    }
    const { log } = await start([Guarded]);
    await called(2);

    expect(calls).toEqual(['guard etcd true', 'filter too far']);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('what cannot work fails the start, or is refused where it is written', () => {
  it.each([
    ['request-scoped', Scope.REQUEST],
    ['transient', Scope.TRANSIENT],
  ])('a %s provider', async (text, scope) => {
    @Injectable({ scope })
    class Scoped {
      @LeaderOnly(election)
      async run(): Promise<void> {
        await Promise.resolve(calls.push('never'));
      }
    }

    const error = await errorOf(start([Scoped]));

    expect(error).toBeInstanceOf(EtcdModuleError);
    expect(error).toMatchObject({
      message: expect.stringMatching(`@LeaderOnly on Scoped@run cannot work: Scoped is ${text}`),
    });
  });

  it('a client that there is not', async () => {
    class Lost {
      @OnLeadershipLost(election, { client: 'nowhere' })
      lost(): void {
        calls.push('never');
      }
    }

    expect(await errorOf(start([Lost]))).toMatchObject({
      message: expect.stringMatching(/@OnLeadershipLost on Lost@lost cannot work: there is no etcd client "nowhere"/),
    });
  });

  it.each([
    ['electionName', () => LeaderOnly('')],
    ['onFollower', () => LeaderOnly('a', { onFollower: 'wait' as 'skip' })],
    ['client', () => LeaderOnly('a', { client: '' })],
    ['electionName', () => OnLeadershipAcquired(7 as unknown as string) as ReturnType<typeof LeaderOnly>],
    ['client', () => OnLeadershipLost('a', { client: '' }) as ReturnType<typeof LeaderOnly>],
  ])('a wrong %s', (option, decorator) => {
    const declare = (): unknown => {
      class Wrong {
        @decorator()
        async run(): Promise<void> {
          await Promise.resolve();
        }
      }
      return Wrong;
    };

    expect(declare).toThrow(new RegExp(`on Wrong@run cannot work: option ${option} must be .*, but is `));
  });
});

describe('the end of the leader', () => {
  it('K3 M6 hands over within 200 ms, when it is told to end', async () => {
    const Reports = reports();
    const one = await start([Reports]);
    await leads(one);
    const two = await start([Reports]);
    await eventually(async () => (await candidates()).length === 2, { what: 'a follower' });

    const closing = one.app.close().then(() => runningMs());
    await leads(two);
    const ledAt = runningMs();

    // The promise is 200 ms from the resignation, on a machine that has nothing else to do.
    expect(ledAt - (await closing)).toBeLessThan(2_000);
    expect(one.app.get(EtcdElections).isLeader(election)).toBe(false);
    expect(await one.app.get(Reports).report()).toBeUndefined();
  });

  it('M6 comes after the method that runs, which was told by its signal', async () => {
    class Reports {
      @LeaderOnly(election)
      async report(): Promise<string | undefined> {
        const { signal } = currentLeadership();
        calls.push('begin');
        if (!signal.aborted) await once(signal, 'abort');
        await delay(50);
        calls.push(`end ${(await candidates()).length} ${currentLeadership().isLeader}`);
        return 'done';
      }
    }
    const started = await start([Reports]);
    await leads(started);
    const running = started.app.get(Reports).report();
    await called(1);

    await started.app.close();

    expect(await running).toBe('done');
    expect(calls).toEqual(['begin', 'end 1 true']);
    expect(await candidates()).toEqual([]);
  });

  it('M7 does not wait for a method beyond shutdownTimeoutMs, and another one can lead', async () => {
    class Stuck {
      @LeaderOnly(election)
      stuck(): Promise<void> {
        calls.push('begin');
        return new Promise(() => undefined);
      }
    }
    const started = await start([Stuck], { imports: [client({ shutdownTimeoutMs: 200 })] });
    await leads(started);
    void started.app.get(Stuck).stuck();
    await called(1);

    await started.app.close();

    expect(started.log.text).toContain('still runs after 200 ms (shutdownTimeoutMs)');
    await eventually(async () => (await candidates()).length === 0, { what: 'the end of the leadership' });
  });

  it('M7 while etcd cannot be reached takes no longer than shutdownTimeoutMs allows', async () => {
    await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
    const imports = [client({ endpoints: [proxy.endpoint], shutdownTimeoutMs: 1_000 })];
    const started = await start([reports()], { imports });
    await leads(started);
    proxy.blackHole();
    const startedAt = runningMs();

    await started.app.close();

    expect(runningMs() - startedAt).toBeLessThan(10_000);
  }, 20_000);
});

it('all of it works when Nest wraps every instance in a proxy, as observers do', async () => {
  class Observed {
    @LeaderOnly(election)
    async led(): Promise<string | undefined> {
      return Promise.resolve(currentLeadership().name);
    }

    @WithEtcdLock('locks/observed')
    async locked(): Promise<string> {
      return Promise.resolve(currentLock().name);
    }

    @OnLeadershipAcquired(election)
    acquired({ name }: Leadership): void {
      calls.push(name);
    }
  }
  const instanceDecorator = (instance: unknown): unknown =>
    typeof instance === 'object' && instance !== null ? new Proxy(instance, {}) : instance;
  const app = await NestFactory.createApplicationContext(
    rootModule({ imports: [client(), EtcdModule.forFeature({ namespace: 'observed/' })], providers: [Observed] }),
    { logger: new CapturedLog(), abortOnError: false, instrument: { instanceDecorator } },
  );
  apps.push(app);
  await called(1);

  expect(calls).toEqual([election]);
  expect(await app.get(Observed).led()).toBe(election);
  expect(await app.get(Observed).locked()).toBe('locks/observed');
  expect(await etcd.gateway.getPrefix(`observed/${election}/`)).toHaveLength(1);
});

describe('EtcdElections', () => {
  it('K3 observes who leads, and runs campaigns that no decorator names', async () => {
    const { app } = await start([]);
    const elections = app.get(EtcdElections);
    const seen: (string | undefined)[] = [];
    const leadership = await elections.campaign(election, 'by hand');
    for await (const leader of elections.observe(election)) {
      seen.push(leader?.value);
      if (leader === undefined) break;
      await leadership.resign();
    }

    expect(seen).toEqual(['by hand', undefined]);
    expect(elections.leadership(election)).toBeUndefined();
    expect(await elections.ifLeader(election, () => 'never')).toBeUndefined();
    expect(await elections.whileLeader(election, ({ isLeader }) => isLeader)).toBe(true);
  });
});
