/** `EtcdLocks` and `@WithEtcdLock()` in real apps on a real etcd: who waits, what the method sees, what is lost, and how it ends. */
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  Param,
  Req,
  Scope,
  SetMetadata,
  type BeforeApplicationShutdown,
} from '@nestjs/common';
import { APP_FILTER, ModuleRef, Reflector } from '@nestjs/core';
import { Cron, CronExpression, ScheduleModule } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import {
  currentLock,
  EtcdAbortedError,
  EtcdClient,
  EtcdClosedError,
  EtcdExceptionFilter,
  EtcdKv,
  EtcdLockLostError,
  EtcdLocks,
  EtcdLockTimeoutError,
  EtcdModuleError,
  OnEtcdWatch,
  WithEtcdLock,
  type EtcdInvalidArgumentError,
  type Lock,
  type WithEtcdLockOptions,
} from '../../lib/nest/index.js';
import { errorOf } from '../support/failure.js';
import { eventually, type Etcd } from '../support/index.js';
import { runningMs } from '../support/running-time.js';
import { startHttp } from './support/apps.js';
import { stageOfApps } from './support/stage.js';

const stage = stageOfApps();
const { apps, calls, client, start } = stage;
let etcd: Etcd;

beforeEach(async () => {
  ({ etcd } = stage);
  await etcd.gateway.deletePrefix('locks/');
});

async function keysOf(lock: string): Promise<string[]> {
  return (await etcd.gateway.getPrefix(`locks/${lock}/`)).map(({ key }) => key);
}

function gone(lock: string): Promise<unknown> {
  return eventually(async () => (await keysOf(lock)).length === 0, { what: `the end of lock ${lock}` });
}

/** A method that begins, waits to be let go, and ends. */
class Gate {
  open!: () => void;
  private readonly opened = new Promise<void>((resolve) => (this.open = resolve));

  async pass(name: string): Promise<void> {
    calls.push(`begin ${name}`);
    await this.opened;
    calls.push(`end ${name}`);
  }
}

function begun(count = 1): Promise<unknown> {
  const begins = (): number => calls.filter((call) => call.startsWith('begin')).length;
  return eventually(() => begins() >= count, { what: `${count} begun` });
}

/** A class whose method is decorated with these. */
function declare(key: string, options: object): unknown {
  class Wrong {
    @WithEtcdLock(key, options as Pick<WithEtcdLockOptions, 'waitMs'>)
    async run(): Promise<void> {
      await Promise.resolve();
    }
  }
  return Wrong;
}

describe('@WithEtcdLock', () => {
  it('lets one call at a time run the method, in one app and in others, and the calls take turns', async () => {
    const gate = new Gate();
    @Injectable()
    class Jobs {
      @WithEtcdLock('locks/turns')
      async run(name: string): Promise<string> {
        await gate.pass(name);
        return `done ${name}`;
      }
    }
    const [one, two] = [await start([Jobs]), await start([Jobs])];

    const first = one.app.get(Jobs).run('first');
    await begun();
    const others = [one.app.get(Jobs).run('second'), two.app.get(Jobs).run('third')];
    await eventually(async () => (await keysOf('turns')).length === 3, { what: 'two that wait' });
    expect(calls).toEqual(['begin first']);
    gate.open();

    expect(await Promise.all([first, ...others])).toEqual(['done first', 'done second', 'done third']);
    for (const [index, call] of calls.entries()) expect(call).toMatch(index % 2 === 0 ? /^begin/ : /^end/);
    await gone('turns');
  });

  it('takes the key from the arguments', async () => {
    const gates = { 1: new Gate(), 2: new Gate() };
    class Orders {
      @WithEtcdLock((id: 1 | 2) => `locks/orders/${id}`)
      async pay(id: 1 | 2, amount: number): Promise<void> {
        await gates[id].pass(`${id} ${amount}`);
      }
    }
    const { app } = await start([Orders]);

    const paid = [app.get(Orders).pay(1, 10), app.get(Orders).pay(2, 20)];
    await begun(2);
    expect(await keysOf('orders')).toEqual([
      expect.stringMatching('^locks/orders/1/'),
      expect.stringMatching('^locks/orders/2/'),
    ]);
    gates[1].open();
    gates[2].open();

    await Promise.all(paid);
  });

  it.each([
    ['is empty', ''],
    ['is no text', 7],
  ])('rejects a call whose key %s, and does not run the method', async (_what, key) => {
    class Orders {
      @WithEtcdLock(() => key as string)
      async pay(): Promise<void> {
        await Promise.resolve(calls.push('never'));
      }
    }
    const { app } = await start([Orders]);

    expect(await errorOf(app.get(Orders).pay())).toMatchObject({ code: 'ETCD_INVALID_ARGUMENT', argument: 'name' });
    expect(calls).toEqual([]);
  });

  it('shows the lock to the method and to what it calls, and to nobody else', async () => {
    @Injectable()
    class Store {
      constructor(@Inject(EtcdKv) private readonly kv: EtcdKv) {}

      async write(): Promise<number> {
        const { guard } = currentLock();
        await this.kv.txn().if(guard).then().commit();
        return currentLock().fencingToken;
      }
    }
    @Injectable()
    class Jobs {
      constructor(@Inject(Store) private readonly store: Store) {}

      @WithEtcdLock('locks/outer')
      async outer(): Promise<string[]> {
        const inner = await this.inner();
        return [currentLock().name, inner];
      }

      @WithEtcdLock('locks/inner')
      async inner(): Promise<string> {
        await delay(1);
        expect(await this.store.write()).toBe(currentLock().fencingToken);
        expect(currentLock().isHeld).toBe(true);
        return currentLock().name;
      }
    }
    const { app } = await start([Store, Jobs]);

    expect(await app.get(Jobs).outer()).toEqual(['locks/outer', 'locks/inner']);
    expect(() => currentLock()).toThrow(EtcdModuleError);
    expect(() => currentLock()).toThrow('@WithEtcdLock');
  });

  it('rejects with what the method throws, and releases', async () => {
    class Jobs {
      @WithEtcdLock('locks/failing')
      run(): Promise<never> {
        throw new RangeError('too far');
      }
    }
    const { app } = await start([Jobs]);

    expect(await errorOf(app.get(Jobs).run())).toEqual(new RangeError('too far'));
    await gone('failing');
  });
});

describe('@WithEtcdLock, when others have the lock', () => {
  class Jobs {
    @WithEtcdLock('locks/busy', { onBusy: 'skip' })
    async skipping(): Promise<string | undefined> {
      await Promise.resolve(calls.push('ran'));
      return 'done';
    }

    @WithEtcdLock('locks/busy', { waitMs: 50 })
    async throwing(): Promise<string> {
      await Promise.resolve(calls.push('ran'));
      return 'done';
    }

    @WithEtcdLock('locks/busy', { onBusy: 'skip', waitMs: 20_000 })
    async patient(): Promise<string | undefined> {
      await Promise.resolve(calls.push('ran'));
      return 'done';
    }

    @WithEtcdLock('locks/free', { onBusy: 'skip' })
    async nested(): Promise<string | undefined> {
      return this.throwing();
    }
  }

  it('skips at once, or throws after waitMs, and leaves no key of its own', async () => {
    const { app } = await start([Jobs]);
    await using lock = await app.get(EtcdLocks).acquire('locks/busy');

    expect(await app.get(Jobs).skipping()).toBeUndefined();
    const error = await errorOf(app.get(Jobs).throwing());

    expect(error).toBeInstanceOf(EtcdLockTimeoutError);
    expect(error).toMatchObject({ lockName: 'locks/busy', waitMs: 50 });
    expect(calls).toEqual([]);
    await eventually(async () => (await keysOf('busy')).length === 1, { what: 'only the key of the holder' });
    expect(await keysOf('busy')).toEqual([lock.key]);
  });

  it('waits as long as it was told before it skips', async () => {
    const { app } = await start([Jobs]);
    const lock = await app.get(EtcdLocks).acquire('locks/busy');
    const waiting = app.get(Jobs).patient();
    await eventually(async () => (await keysOf('busy')).length === 2, { what: 'one that waits' });

    await lock.release();

    expect(await waiting).toBe('done');
  });

  it('does not take the failure of the method for a lock that is busy', async () => {
    const { app } = await start([Jobs]);
    await using lock = await app.get(EtcdLocks).acquire('locks/busy');

    expect(await errorOf(app.get(Jobs).nested())).toMatchObject({ lockName: lock.name });
  });
});

describe('@WithEtcdLock, when the lock is lost', () => {
  it('K2 aborts the signal of the method, whose guarded write is refused, and rejects once it has ended', async () => {
    @Injectable()
    class Jobs {
      constructor(@Inject(EtcdKv) private readonly kv: EtcdKv) {}

      @WithEtcdLock('locks/broken')
      async run(): Promise<void> {
        const lock = currentLock();
        calls.push(lock.key);
        if (!lock.signal.aborted) await once(lock.signal, 'abort');
        const { succeeded } = await this.kv.txn().if(lock.guard).then().commit();
        calls.push(`${(lock.signal.reason as EtcdLockLostError).reason} ${succeeded}`);
      }
    }
    const { app } = await start([Jobs]);
    const running = errorOf(app.get(Jobs).run());
    await eventually(() => calls.length === 1, { what: 'the key' });

    await etcd.gateway.delete(calls[0]!);
    const error = await running;

    expect(calls[1]).toBe('key-gone false');
    expect(error).toBeInstanceOf(EtcdLockLostError);
    expect(error).toMatchObject({ reason: 'key-gone', lockName: 'locks/broken' });
  });
});

describe('@WithEtcdLock beside other decorators', () => {
  const Marked = SetMetadata('mark', 'here');

  it.each(['above', 'below'])(
    'leaves what a decorator %s it has put on the method, its name and its length',
    (where) => {
      class Above {
        @Marked
        @WithEtcdLock('locks/marked')
        async run(a: string, b: string): Promise<void> {
          await Promise.resolve(a + b);
        }
      }
      class Below {
        @WithEtcdLock('locks/marked')
        @Marked
        async run(a: string, b: string): Promise<void> {
          await Promise.resolve(a + b);
        }
      }
      const { run } = (where === 'above' ? Above : Below).prototype;

      expect(new Reflector().get('mark', run)).toBe('here');
      expect([run.name, run.length]).toEqual(['run', 2]);
    },
  );

  it('stands above and below @Cron(), and instances take turns or skip', async () => {
    class Jobs {
      @Cron(CronExpression.EVERY_SECOND)
      @WithEtcdLock('locks/cron-above', { onBusy: 'skip' })
      async above(): Promise<void> {
        await Promise.resolve(calls.push(`above ${currentLock().isHeld}`));
      }

      @WithEtcdLock('locks/cron-below', { onBusy: 'skip' })
      @Cron(CronExpression.EVERY_SECOND)
      async below(): Promise<void> {
        await Promise.resolve(calls.push(`below ${currentLock().isHeld}`));
      }
    }
    const { log } = await start([Jobs], { imports: [client(), ScheduleModule.forRoot()] });

    await eventually(() => new Set(calls).size === 2, { what: 'a tick of both', timeoutMs: 10_000 });

    expect(new Set(calls)).toEqual(new Set(['above true', 'below true']));
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  }, 20_000);

  it('stands around watch handlers', async () => {
    class Handlers {
      @OnEtcdWatch('locks/watched')
      @WithEtcdLock('locks/above')
      async above(): Promise<void> {
        await Promise.resolve(calls.push(`above ${currentLock().name}`));
      }

      @WithEtcdLock('locks/below')
      @OnEtcdWatch('locks/watched')
      async below(): Promise<void> {
        await Promise.resolve(calls.push(`below ${currentLock().name}`));
      }
    }
    const { app } = await start([Handlers]);
    const { watch } = app.get(EtcdClient);
    await eventually(() => watch.stats().watches === 2 && watch.stats().streams > 0, { what: 'the watches' });
    const probe = watch.watch('locks/probe');
    await probe.created;
    await probe.close();

    await etcd.gateway.put('locks/watched', 'x');
    await eventually(() => calls.length === 2, { what: 'two calls' });

    expect(calls.sort()).toEqual(['above locks/above', 'below locks/below']);
  });
});

describe('where the locks of a method come from', () => {
  it('is the client of that name', async () => {
    class Jobs {
      @WithEtcdLock('locks/named', { client: 'second' })
      async run(): Promise<string> {
        return Promise.resolve(currentLock().name);
      }
    }
    const { app } = await start([Jobs], { imports: [client({ name: 'second' })] });

    expect(await app.get(Jobs).run()).toBe('locks/named');
  });

  it('is the same for request-scoped and transient providers, and for those that a factory made', async () => {
    class Base {
      @WithEtcdLock('locks/anywhere')
      async run(): Promise<string> {
        return Promise.resolve(`${this.constructor.name} ${currentLock().name}`);
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends Base {}
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient extends Base {}
    class ByFactory extends Base {}
    class ByValue extends Base {}
    const { app } = await start([
      PerRequest,
      Transient,
      { provide: ByFactory, useFactory: () => new ByFactory() },
      { provide: ByValue, useValue: new ByValue() },
    ]);
    const moduleRef = app.get(ModuleRef);

    const instances = [
      await moduleRef.resolve(PerRequest, undefined, { strict: false }),
      await moduleRef.resolve(Transient, undefined, { strict: false }),
      app.get(ByFactory),
      app.get(ByValue),
    ];

    expect(await Promise.all(instances.map((instance) => instance.run()))).toEqual(
      ['PerRequest', 'Transient', 'ByFactory', 'ByValue'].map((name) => `${name} locks/anywhere`),
    );
  });

  it('can be a fake, so that a test needs no etcd', async () => {
    class Jobs {
      @WithEtcdLock('locks/fake')
      async run(): Promise<string> {
        return Promise.resolve(currentLock().name);
      }
    }
    const lock = (name: string, _options: object, body: (lock: Lock) => unknown): unknown => body({ name } as Lock);
    const module = await Test.createTestingModule({
      providers: [Jobs, { provide: EtcdLocks, useValue: { lock } }],
    }).compile();

    expect(await module.get(Jobs).run()).toBe('locks/fake');
  });

  it('has to be there when the app starts, and what is missing is named', async () => {
    class Jobs {
      @WithEtcdLock('locks/nowhere', { client: 'nowhere' })
      async run(): Promise<void> {
        await Promise.resolve();
      }
    }
    @Module({ imports: [client({ name: 'hidden', isGlobal: false })] })
    class Elsewhere {}
    class Outside {
      @WithEtcdLock('locks/hidden', { client: 'hidden' })
      async run(): Promise<void> {
        await Promise.resolve();
      }
    }

    const missing = await errorOf(start([Jobs]));
    const hidden = await errorOf(start([Outside], { imports: [Elsewhere] }));
    const bare = await errorOf(new Jobs().run());

    expect(missing).toBeInstanceOf(EtcdModuleError);
    expect(missing).toMatchObject({
      message: expect.stringMatching(
        /@WithEtcdLock on Jobs@run cannot work: there is no etcd client "nowhere".*"default"/,
      ),
    });
    expect(hidden).toMatchObject({ message: expect.stringMatching(/Outside@run cannot work: .*isGlobal: false/) });
    expect(bare).toMatchObject({ code: 'ETCD_MODULE', message: expect.stringMatching(/Jobs@run cannot work/) });
  });

  it.each([
    ['key', '', {}],
    ['ttlSeconds', 'locks/a', { ttlSeconds: 0 }],
    ['ttlSeconds', 'locks/a', { ttlSeconds: 1.5 }],
    ['waitMs', 'locks/a', { waitMs: -1 }],
    ['waitMs', 'locks/a', { waitMs: NaN }],
    ['onBusy', 'locks/a', { onBusy: 'wait' }],
    ['client', 'locks/a', { client: '' }],
  ])('refuses a wrong %s where it is written, with the rule and the value', (option, key, options) => {
    const declaring = (): unknown => declare(key, options);

    expect(declaring).toThrow(EtcdModuleError);
    expect(declaring).toThrow(
      new RegExp(`^@WithEtcdLock on Wrong@run cannot work: option ${option} must be .*, but is `),
    );
  });
});

describe('the limits of options', () => {
  it.each([
    ['waitMs', 2 ** 31 - 1],
    ['ttlSeconds', 9_000_000_000],
  ])('of %s are those of the client', async (option, limit) => {
    const { app } = await start([]);

    const refused = await errorOf(app.get(EtcdLocks).acquire('locks/a', { [option]: limit + 1 }));

    expect(refused).toMatchObject({ code: 'ETCD_INVALID_ARGUMENT', argument: option });
    expect(() => declare('locks/a', { [option]: limit + 1 })).toThrow((refused as EtcdInvalidArgumentError).rule);
    expect(() => declare('locks/a', { [option]: limit })).not.toThrow();
  });

  it('let a call wait as long as it takes', () => {
    expect(() => declare('locks/a', { waitMs: Infinity })).not.toThrow();
  });
});

describe('locks at the end of the app', () => {
  @Injectable()
  class Jobs {
    @WithEtcdLock('locks/ending')
    async run(): Promise<string> {
      const { signal } = currentLock();
      calls.push('begin');
      if (!signal.aborted) await once(signal, 'abort');
      calls.push(`told ${currentLock().isHeld}`);
      await delay(50);
      calls.push(`end ${(await keysOf('ending')).length > 0}`);
      return 'done';
    }

    @WithEtcdLock('locks/ending')
    async next(): Promise<void> {
      await Promise.resolve(calls.push('never'));
    }

    @WithEtcdLock('locks/stuck')
    stuck(): Promise<void> {
      calls.push('begin');
      return new Promise(() => undefined);
    }
  }

  it('M6 tells the method, which keeps its lock until it has ended, and gives the lock back at once', async () => {
    const { app } = await start([Jobs]);
    const running = app.get(Jobs).run();
    await begun();
    const waiting = errorOf(app.get(Jobs).next());
    await eventually(async () => (await keysOf('ending')).length === 2, { what: 'one that waits' });

    await app.close();

    expect(await running).toBe('done');
    expect(calls).toEqual(['begin', 'told true', 'end true']);
    expect(await waiting).toBeInstanceOf(EtcdClosedError);
    expect(await keysOf('ending')).toEqual([]);
    expect(await errorOf(app.get(Jobs).next())).toBeInstanceOf(EtcdClosedError);
  });

  it('tells functions of EtcdLocks.lock, too', async () => {
    const { app } = await start([]);
    const running = app.get(EtcdLocks).lock('locks/function', async ({ signal }) => {
      calls.push('begin');
      if (!signal.aborted) await once(signal, 'abort');
      return 'told';
    });
    await begun();

    await app.close();

    expect(await running).toBe('told');
  });

  it("leaves a function's own failure as it is, with what it says of its write", async () => {
    const { app } = await start([]);
    const failure = new EtcdAbortedError({ method: 'KV.Put', outcome: 'unknown' });
    const running = app.get(EtcdLocks).lock('locks/writing', async ({ signal }) => {
      calls.push('begin');
      if (!signal.aborted) await once(signal, 'abort');
      throw failure;
    });
    const error = errorOf(running);
    await begun();

    await app.close();

    expect(await error).toBe(failure);
  });

  it('M7 goes on without a method that does not end within shutdownTimeoutMs, and gives its lock back', async () => {
    const { app, log } = await start([Jobs], { imports: [client({ shutdownTimeoutMs: 300 })] });
    void app.get(Jobs).stuck();
    await begun();

    await app.close();

    expect(log.text).toContain('1 methods or functions still run under locks after 300 ms (shutdownTimeoutMs)');
    await gone('stuck');
  });

  it('lets requests end first, whose signal does not abort', async () => {
    const gate = new Gate();
    @Controller()
    class Requests {
      @Get('work')
      @WithEtcdLock('locks/request')
      async work(): Promise<string> {
        await gate.pass('request');
        return `aborted ${currentLock().signal.aborted}`;
      }
    }
    const { app, url } = await startHttp({ imports: [client()], controllers: [Requests] });
    apps.push(app);
    const answer = fetch(`${url}/work`, { headers: { connection: 'close' } });
    await begun();

    const closing = app.close();
    await delay(50);
    gate.open();

    expect(await (await answer).text()).toBe('aborted false');
    await closing;
  });

  describe('and requests that wait for one', () => {
    const gates: Gate[] = [];

    @Controller()
    class Requests implements BeforeApplicationShutdown {
      @Get('work/:name')
      @WithEtcdLock('locks/request')
      async work(@Param('name') name: string): Promise<string> {
        await gates.at(-1)!.pass(name);
        return `aborted ${currentLock().signal.aborted}`;
      }

      beforeApplicationShutdown(): void {
        calls.push('ending');
      }
    }

    /** An app with a request that has the lock, and one that waits for it; what they are answered, once they are. */
    async function startRequests(shutdownTimeoutMs: number) {
      const gate = new Gate();
      gates.push(gate);
      const { app, url } = await startHttp({
        imports: [client({ shutdownTimeoutMs })],
        controllers: [Requests],
        providers: [{ provide: APP_FILTER, useClass: EtcdExceptionFilter }],
      });
      apps.push(app);
      const ask = async (name: string): Promise<string> => {
        const answer = await fetch(`${url}/work/${name}`, { headers: { connection: 'close' } });
        return `${answer.status} ${await answer.text()}`;
      };
      const holder = ask('holder');
      await begun();
      const waiter = ask('waiter');
      await eventually(async () => (await keysOf('request')).length === 2, { what: 'one that waits' });
      return { app, gate, holder, waiter };
    }

    it('finishes those that get their turn while HTTP drains', async () => {
      const { app, gate, holder, waiter } = await startRequests(30_000);

      const closing = app.close();
      await eventually(() => calls.includes('ending'), { what: 'the beginning of the end' });
      gate.open();

      expect(await Promise.all([holder, waiter])).toEqual(['200 aborted false', '200 aborted false']);
      await closing;
    });

    it('M7 rejects those that do not within shutdownTimeoutMs, and what comes after them', async () => {
      const { app, gate, holder, waiter } = await startRequests(200);

      const closing = app.close();
      const refused = await waiter;
      const late = await errorOf(app.get(Requests).work('late'));
      gate.open();

      expect(refused).toMatch(/^503 .*"ETCD_CLOSED"/);
      expect(late).toBeInstanceOf(EtcdClosedError);
      expect(await holder).toBe('200 aborted false');
      await closing;
      expect(calls).toEqual(['begin holder', 'ending', 'end holder']);
    });
  });
});

describe('M20 a request that its client aborts', () => {
  @Controller()
  class Requests {
    constructor(@Inject(EtcdLocks) private readonly locks: EtcdLocks) {}

    @Get('lock/:name')
    lock(@Param('name') name: string, @Req() { socket }: IncomingMessage): Promise<string> {
      const gone = new AbortController();
      socket.once('close', () => gone.abort());
      return this.locks.lock(`locks/${name}`, { signal: gone.signal }, async () => {
        calls.push('begin');
        if (!gone.signal.aborted) await once(gone.signal, 'abort');
        return 'nobody hears it';
      });
    }
  }

  it('frees its lock, and its place in the queue, within a second', async () => {
    const { app, url } = await startHttp({ imports: [client()], controllers: [Requests] });
    apps.push(app);
    const [holder, waiter] = [0, 1].map(() => request(`${url}/lock/aborted`).on('error', () => undefined));
    holder!.end();
    await begun();
    waiter!.end();
    await eventually(async () => (await keysOf('aborted')).length === 2, { what: 'one that waits' });

    const abortedAt = runningMs();
    waiter!.destroy();
    await eventually(async () => (await keysOf('aborted')).length === 1, { what: 'the end of the wait' });
    holder!.destroy();
    await gone('aborted');

    expect(runningMs() - abortedAt).toBeLessThan(2_000); // two of them
    expect(calls).toEqual(['begin']);
  });
});
