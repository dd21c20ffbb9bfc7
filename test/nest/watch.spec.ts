/** `@OnEtcdWatch()` in real apps on a real etcd: who is called, in which order, around what, and when it ends. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Inject,
  Injectable,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type ArgumentsHost,
  type ExecutionContext,
  type INestApplicationContext,
} from '@nestjs/common';
import { APP_GUARD, Reflector } from '@nestjs/core';
import { Registry } from 'prom-client';
import { firstValueFrom, map, take, toArray, type Observable } from 'rxjs';
import { EtcdMetricsModule } from '../../lib/metrics/index.js';
import {
  EtcdClient,
  EtcdCompactedError,
  EtcdModuleError,
  fromEtcdWatch,
  OnEtcdWatch,
  prefix,
  type FollowChange,
  type WatchEvent,
} from '../../lib/nest/index.js';
import { errorOf } from '../support/failure.js';
import { eventually, startProxy, type Etcd } from '../support/index.js';
import { stageOfApps } from './support/stage.js';

const stage = stageOfApps();
const { calls, client, start } = stage;
let etcd: Etcd;

beforeEach(async () => {
  ({ etcd } = stage);
  await etcd.gateway.deletePrefix('watched/');
});

/** Once all watches of the client are in place, what is written is reported. */
async function placed(app: INestApplicationContext, count = 1): Promise<void> {
  const { watch } = app.get(EtcdClient);
  await eventually(() => watch.stats().watches >= count && watch.stats().streams > 0, { what: `${count} watches` });
  const probe = watch.watch('watched-probe');
  await probe.created;
  await probe.close();
}

async function put(...keys: string[]): Promise<void> {
  for (const key of keys) await etcd.gateway.put(`watched/${key}`, 'x');
}

function called(count: number): Promise<unknown> {
  return eventually(() => calls.length >= count, { what: `${count} calls`, timeoutMs: 5_000 });
}

function note(change: FollowChange, as = ''): void {
  const keys = change.type === 'reset' ? change.kvs.map(({ key }) => key) : [change.kv.key];
  calls.push(`${as}${change.type} ${keys.join(' ').replaceAll('watched/', '')}`.trimEnd());
}

describe('@OnEtcdWatch', () => {
  it('calls methods of providers and controllers with the events of their ranges', async () => {
    @Injectable()
    class Jobs {
      private readonly name = 'provider ';

      @OnEtcdWatch(prefix('watched/a'))
      onEvent(event: WatchEvent): void {
        note(event, this.name);
      }
    }
    @Controller()
    class JobsController {
      @OnEtcdWatch('watched/b', { only: 'put' })
      onEvent(event: WatchEvent): void {
        note(event, 'controller ');
      }
    }
    const { app } = await start([Jobs], { controllers: [JobsController] });
    await placed(app, 2);

    await put('a1', 'b', 'bb');
    await etcd.gateway.delete('watched/a1');
    await called(3);

    expect(calls.sort()).toEqual(['controller put b', 'provider delete a1', 'provider put a1']);
  });

  it('calls a method once for each of its decorators', async () => {
    class Stacked {
      @OnEtcdWatch('watched/a')
      @OnEtcdWatch('watched/b')
      onEvent(event: WatchEvent): void {
        note(event);
      }
    }
    const { app } = await start([Stacked]);
    await placed(app, 2);

    await put('a', 'b');
    await called(2);

    expect(calls.sort()).toEqual(['put a', 'put b']);
  });

  it('hands over the content first with follow, and then what changes', async () => {
    class Followed {
      @OnEtcdWatch(prefix('watched/'), { follow: true })
      onChange(change: FollowChange): void {
        note(change);
      }
    }
    await put('a', 'b');
    await start([Followed]);
    await called(1);

    await put('c');
    await called(2);

    expect(calls).toEqual(['reset a b', 'put c']);
  });

  it('watches by the client that is named, and runs once however many clients there are', async () => {
    class Named {
      @OnEtcdWatch(prefix('watched/'), { client: 'second' })
      onEvent(event: WatchEvent): void {
        note(event);
      }
    }
    const { app, log } = await start([Named], {
      imports: [client(), client({ name: 'second' }), client({ name: 'third' })],
    });
    const second = app.get<EtcdClient>('EtcdClient:second');
    await eventually(() => second.watch.stats().streams === 1, { what: 'the watch' });

    await second.watch.watch('watched-probe').created;
    await put('a', 'b');
    await called(2);

    expect(calls).toEqual(['put a', 'put b']);
    expect(app.get(EtcdClient).watch.stats().watches).toBe(0);
    expect(log.text).not.toContain('error');
  });

  it('handles events one at a time, in order', async () => {
    const releases: (() => void)[] = [];
    class Slow {
      @OnEtcdWatch(prefix('watched/'))
      async onEvent(event: WatchEvent): Promise<void> {
        note(event, 'begin ');
        await new Promise<void>((release) => releases.push(release));
        note(event, 'end ');
      }
    }
    const { app } = await start([Slow]);
    await placed(app);

    await put('a', 'b', 'c');
    for (let index = 0; index < 3; index++) {
      await eventually(() => releases.length > index, { what: `call ${index + 1}` });
      releases[index]!();
    }
    await called(6);

    expect(calls).toEqual(['a', 'b', 'c'].flatMap((key) => [`begin put ${key}`, `end put ${key}`]));
  });

  it('M11 logs a call that fails with Class@method, counts it, and goes on with the next event', async () => {
    class Failing {
      @OnEtcdWatch(prefix('watched/'))
      onEvent(event: WatchEvent): Promise<void> | undefined {
        note(event);
        if (event.kv.key.endsWith('throws')) throw new Error('thrown');
        if (event.kv.key.endsWith('rejects')) return Promise.reject(new Error('rejected'));
        return undefined;
      }
    }
    const registry = new Registry();
    const imports = [client(), EtcdMetricsModule.forRoot({ registry, path: false })];
    const { app, log } = await start([Failing], { imports });
    await placed(app);

    await put('1-throws', '2-rejects', '3-works');
    await called(3);
    const errors = log.lines.filter(({ level }) => level === 'error');

    expect(calls).toEqual(['put 1-throws', 'put 2-rejects', 'put 3-works']);
    expect(errors.map(({ context, text }) => `${context} ${text}`)).toEqual([
      expect.stringMatching(/^Etcd Failing@onEvent failed on the put of revision \d+: thrown\s/),
      expect.stringMatching(/^Etcd Failing@onEvent failed on the put of revision \d+: rejected\s/),
    ]);
    expect(errors.map(({ text }) => text).join()).not.toContain('watched/');
    expect(await registry.metrics()).toContain('etcd_client_watch_handler_failures_total{client="default"} 2');
    expect(await registry.metrics()).toContain('etcd_client_watches{client="default"} 1');
  });

  it('M11 does not delay other handlers when one never ends', async () => {
    class Stuck {
      @OnEtcdWatch(prefix('watched/'))
      onEvent(): Promise<void> {
        return new Promise(() => undefined);
      }

      @OnEtcdWatch(prefix('watched/'))
      other(event: WatchEvent): void {
        note(event);
      }
    }
    const { app } = await start([Stuck], { imports: [client({ shutdownTimeoutMs: 50 })] });
    await placed(app, 2);

    await put('a', 'b');
    await called(2);

    expect(calls).toEqual(['put a', 'put b']);
  });
});

describe('around a handler', () => {
  class Even {
    constructor(@Inject(Reflector) private readonly reflector: Reflector) {}

    canActivate(context: ExecutionContext): boolean {
      const [event] = context.getArgs<[WatchEvent]>();
      calls.push(`guard ${context.getType<string>()} ${context.getClass().name}.${context.getHandler().name}`);
      return this.reflector.get<string>('skip', context.getHandler()) !== event.kv.key;
    }
  }
  class Timing {
    intercept(_context: ExecutionContext, next: { handle(): Observable<unknown> }): Observable<unknown> {
      calls.push('interceptor');
      return next.handle().pipe(map((value) => calls.push(`returned ${String(value)}`)));
    }
  }
  class ToKey {
    transform(event: WatchEvent): string {
      return event.kv.key;
    }
  }
  @Catch(RangeError)
  class Forgive {
    catch(error: RangeError, host: ArgumentsHost): string {
      calls.push(`filter ${host.getType<string>()} ${error.message}`);
      return 'forgiven';
    }
  }

  it('guards, interceptors, pipes and filters apply', async () => {
    class Enhanced {
      @OnEtcdWatch(prefix('watched/'))
      @UseGuards(Even)
      @UseInterceptors(Timing)
      @UsePipes(ToKey)
      @UseFilters(Forgive)
      onEvent(key: unknown): string {
        calls.push(`handler ${String(key)}`);
        if (key === 'watched/bad') throw new RangeError('too far');
        return 'done';
      }
    }
    const { app, log } = await start([Enhanced]);
    await placed(app);

    await put('good', 'bad');
    await called(7);

    const before = ['guard etcd Enhanced.onEvent', 'interceptor'];
    expect(calls).toEqual([
      ...before,
      'handler watched/good',
      'returned done',
      ...before,
      'handler watched/bad',
      'filter etcd too far',
    ]);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('global guards apply, and what they refuse is logged', async () => {
    class Nobody {
      canActivate(): boolean {
        return false;
      }
    }
    class Refused {
      @OnEtcdWatch(prefix('watched/'))
      onEvent(event: WatchEvent): void {
        note(event);
      }
    }
    const { app, log } = await start([Refused, { provide: APP_GUARD, useClass: Nobody } as never]);
    await placed(app);

    await put('a');
    await eventually(() => log.text.includes('Refused@onEvent failed'), { what: 'the refusal' });

    expect(calls).toEqual([]);
    expect(log.text).toContain('Forbidden resource');
  });
});

describe('a handler that cannot work fails the start', () => {
  it.each([
    ['request-scoped', Scope.REQUEST],
    ['transient', Scope.TRANSIENT],
  ])('in a %s provider', async (text, scope) => {
    @Injectable({ scope })
    class Scoped {
      @OnEtcdWatch('watched/a')
      onEvent(): void {
        calls.push('never');
      }
    }

    const error = await errorOf(start([Scoped]));

    expect(error).toBeInstanceOf(EtcdModuleError);
    expect(error).toMatchObject({ message: expect.stringMatching(`Scoped@onEvent cannot work: Scoped is ${text}`) });
  });

  it('in a controller that depends on a request-scoped provider', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {}
    @Controller()
    class Dependent {
      constructor(@Inject(PerRequest) readonly dependency: PerRequest) {}

      @OnEtcdWatch('watched/a')
      onEvent(): void {
        calls.push('never');
      }
    }

    const error = await errorOf(start([PerRequest], { controllers: [Dependent] }));

    expect(error).toMatchObject({ message: expect.stringContaining('Dependent@onEvent cannot work') });
  });

  it('for a client that there is not, which names those there are', async () => {
    class Lost {
      @OnEtcdWatch('watched/a', { client: 'nowhere' })
      onEvent(): void {
        calls.push('never');
      }
    }

    const error = await errorOf(start([Lost]));

    expect(error).toMatchObject({
      code: 'ETCD_MODULE',
      message: expect.stringMatching(/Lost@onEvent cannot work: there is no etcd client "nowhere".*"default"/),
    });
  });

  it('for an option that cannot work', async () => {
    class Wrong {
      @OnEtcdWatch('watched/a', { startRevision: -1 })
      onEvent(): void {
        calls.push('never');
      }
    }

    const error = await errorOf(start([Wrong]));

    expect(error).toMatchObject({ message: expect.stringMatching(/Wrong@onEvent cannot work: .*startRevision/) });
  });
});

describe('when history is compacted', () => {
  it('a watch ends, and the log says so', async () => {
    await put('a', 'b');
    await etcd.gateway.compact(await etcd.gateway.revision());
    class Late {
      @OnEtcdWatch(prefix('watched/'), { startRevision: 1 })
      onEvent(event: WatchEvent): void {
        note(event);
      }
    }

    const { log } = await start([Late]);

    await eventually(() => log.text.includes('has ended'), { what: 'the end of the watch' });
    expect(log.text).toMatch(/\[Etcd\] error: the watch of Late@onEvent has ended.*follow: true/);
    expect(calls).toEqual([]);
  });

  it('follow goes on by itself, with the content anew', async () => {
    class Followed {
      @OnEtcdWatch(prefix('watched/'), { follow: true })
      onChange(change: FollowChange): void {
        note(change);
      }
    }
    await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
    const imports = [client({ endpoints: [proxy.endpoint] })];
    const { app } = await start([Followed], { imports });
    await called(1);
    await placed(app);

    await proxy.cut('reset');
    await put('a', 'b');
    await etcd.gateway.compact(await etcd.gateway.revision());
    await proxy.mend();
    await called(2);
    await put('c');
    await called(3);

    expect(calls).toEqual(['reset', 'reset a b', 'put c']);
  }, 20_000);
});

describe('at the end of the app', () => {
  it('M12 waits for the call that runs, and makes none after that', async () => {
    let release: (() => void) | undefined;
    class Slow {
      @OnEtcdWatch(prefix('watched/'))
      async onEvent(event: WatchEvent): Promise<void> {
        note(event, 'begin ');
        await new Promise<void>((resolve) => (release = resolve));
        note(event, 'end ');
      }
    }
    let stateAtShutdown: string | undefined;
    class Witness {
      constructor(@Inject(EtcdClient) private readonly etcd: EtcdClient) {}

      onApplicationShutdown(): void {
        calls.push('shutdown');
        stateAtShutdown = this.etcd.state;
      }
    }
    const { app } = await start([Slow, Witness]);
    await placed(app);
    await put('a', 'b');
    await called(1);

    const closing = app.close();
    await eventually(() => app.get(EtcdClient).watch.stats().watches === 0, { what: 'the end of the watch' });
    expect(calls).toEqual(['begin put a']);
    release!();
    await closing;
    await put('c');

    expect(calls).toEqual(['begin put a', 'end put a', 'shutdown']);
    expect(stateAtShutdown).toBe('ready');
  });

  it('goes on without a call that does not end within shutdownTimeoutMs', async () => {
    class Stuck {
      @OnEtcdWatch(prefix('watched/'))
      onEvent(event: WatchEvent): Promise<void> {
        note(event);
        return new Promise(() => undefined);
      }
    }
    const { app, log } = await start([Stuck], { imports: [client({ shutdownTimeoutMs: 100 })] });
    await placed(app);
    await put('a');
    await called(1);

    await app.close();

    expect(log.of('Etcd')).toContain(
      'warn: Stuck@onEvent still runs after 100 ms (shutdownTimeoutMs); going on without waiting for it',
    );
  });
});

describe('fromEtcdWatch', () => {
  it('opens a watch for each subscription, and closes it when the subscriber leaves', async () => {
    const { app } = await start([]);
    const { watch } = app.get(EtcdClient);
    const events = fromEtcdWatch(() => watch.watch(prefix('watched/')));
    expect(watch.stats().watches).toBe(0);

    const two = firstValueFrom(events.pipe(take(2), toArray()));
    const idle = events.subscribe();
    await placed(app, 2);
    await put('a', 'b');

    expect((await two).map(({ kv }) => kv.key)).toEqual(['watched/a', 'watched/b']);
    expect(watch.stats().watches).toBe(1);
    idle.unsubscribe();
    expect(watch.stats().watches).toBe(0);
  });

  it('fails with the typed error, of the watch and of what opens it', async () => {
    const { app } = await start([]);
    const { watch } = app.get(EtcdClient);
    await put('a', 'b');
    await etcd.gateway.compact(await etcd.gateway.revision());

    const compacted = firstValueFrom(fromEtcdWatch(() => watch.watch('watched/a', { startRevision: 1 })));
    await expect(compacted).rejects.toBeInstanceOf(EtcdCompactedError);

    const invalid = firstValueFrom(fromEtcdWatch(() => watch.watch('')));
    await expect(invalid).rejects.toMatchObject({ code: 'ETCD_INVALID_ARGUMENT' });
  });

  it('takes a followed range, and completes when it is closed', async () => {
    const { app } = await start([]);
    const follower = app.get(EtcdClient).watch.follow(prefix('watched/'));
    let hasCompleted = false;
    fromEtcdWatch(() => follower).subscribe({ next: (change) => note(change), complete: () => (hasCompleted = true) });
    await called(1);

    await follower.close();

    await eventually(() => hasCompleted, { what: 'the end' });
    expect(calls).toEqual(['reset']);
  });
});
