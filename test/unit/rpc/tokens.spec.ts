/** C5: authentication is invisible, and never asks more often than it has to. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { EtcdAuthenticationError } from '../../../lib/client/server-errors.js';
import { AUTHENTICATE, PUT, RANGE, WATCH } from '../../../lib/client/rpc/methods.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import { settle } from '../../support/fake-clock.js';
import type { FakeTransportCall, FakeTransportStream } from '../../support/fake-transport.js';
import { A, B, C, isProbe, Outcome, Rig, type RigOptions } from './rig.js';

let rig: Rig;

afterEach(() => rig.leaveNothing());

const PASSWORD = { username: 'alice', password: 'sesame' };

/** A cluster with authentication on: hands out `token-1`, `token-2` … and takes only the newest. */
class Guard {
  isOn = true;
  issued = 0;
  /** Tokens are refused even when they are the newest. */
  refusesAll = false;

  install(of: Rig): void {
    of.cluster.on(AUTHENTICATE, (call) => {
      const { name, password } = call.request as { name: string; password: string };
      if (!this.isOn) call.fail('etcdserver: authentication is not enabled', GrpcCode.failedPrecondition);
      else if (password !== PASSWORD.password || name !== PASSWORD.username) {
        call.fail('etcdserver: authentication failed, invalid user ID or password', GrpcCode.invalidArgument);
      } else call.answer({ token: `token-${++this.issued}` });
    });
    for (const method of [PUT, RANGE]) of.cluster.on(method, (call) => this.check(call));
  }

  expire(): void {
    this.issued += 1;
  }

  private check(call: FakeTransportCall): void {
    const { token } = call.headers;
    if (!this.isOn) call.answer({});
    else if (token === undefined) call.fail('etcdserver: user name is empty', GrpcCode.invalidArgument);
    else if (this.refusesAll || token !== `token-${this.issued}`) {
      call.fail('etcdserver: invalid auth token', GrpcCode.unauthenticated);
    } else call.answer({});
  }
}

async function guarded(options: RigOptions = { auth: PASSWORD }): Promise<Guard> {
  rig = await new Rig(options).connected();
  const guard = new Guard();
  guard.install(rig);
  return guard;
}

function logins(): number {
  return rig.cluster.calls.filter(({ path }) => path === AUTHENTICATE.path).length;
}

function streams(): FakeTransportStream[] {
  return rig.cluster.all().flatMap((member) => member.streams);
}

describe('C5: a client with a password', () => {
  it('logs in before its first call, and sends the token on every RPC but Authenticate', async () => {
    await guarded();

    const calls = [rig.write(), rig.read(), rig.write()];
    await settle();

    expect(calls.map(({ state }) => state)).toEqual(['answered', 'answered', 'answered']);
    expect(rig.cluster.calls.map(({ path, headers }) => [path, headers['token']])).toEqual([
      [AUTHENTICATE.path, undefined],
      [PUT.path, 'token-1'],
      [RANGE.path, 'token-1'],
      [PUT.path, 'token-1'],
    ]);
  });

  it('says its API version on every RPC, Authenticate too', async () => {
    await guarded();

    rig.read();
    await settle();

    expect(rig.cluster.calls.map(({ headers }) => headers['client-api-version'])).toEqual(['3.7', '3.7']);
  });

  it('logs in before its first stream, and sends the token on it', async () => {
    await guarded();

    rig.calls.duplex(WATCH);
    await settle();

    expect(streams().map(({ headers }) => headers['token'])).toEqual(['token-1']);
    expect(logins()).toBe(1);
  });

  it('renews it once for all 1,000 calls that find it expired, and none of them fails', async () => {
    const guard = await guarded();
    rig.read();
    await settle();
    guard.expire();

    const calls = Array.from({ length: 1_000 }, (_, index) => (index % 2 === 0 ? rig.read() : rig.write()));
    await settle();

    expect(calls.filter(({ state }) => state !== 'answered')).toEqual([]);
    expect(logins()).toBe(2);
    expect(rig.calls.counters().tokenRefreshes).toBe(2);
  });

  it('renews it for a write too, which was refused before anything was applied', async () => {
    const guard = await guarded();
    rig.read();
    await settle();
    guard.expire();

    const write = rig.write();
    await settle();

    expect(write.state).toBe('answered');
    expect(rig.arrived().filter(({ path }) => path === PUT.path)).toHaveLength(2);
    const secondLogin = rig.cluster.calls.filter(({ path }) => path === AUTHENTICATE.path)[1]!;
    expect(secondLogin.headers['token']).toBeUndefined();
  });

  it.each([
    ['etcdserver: invalid auth token', GrpcCode.unauthenticated],
    ['etcdserver: revision of auth store is old', GrpcCode.invalidArgument],
    ['etcdserver: user name is empty', GrpcCode.invalidArgument],
  ])('logs in again after %j', async (text, code) => {
    await guarded();
    let refusals = 0;
    rig.cluster.on(PUT, (call) => (refusals++ === 0 ? call.fail(text, code) : call.answer({})));

    const write = rig.write();
    await settle();

    expect(write.state).toBe('answered');
    expect(logins()).toBe(2);
  });

  it('gives up after a few logins when every token is refused', async () => {
    const guard = await guarded();
    guard.refusesAll = true;

    const write = rig.write();
    await rig.clock.advance(5_000);

    expect(write.error).toMatchObject({
      code: 'ETCD_AUTHENTICATION',
      reason: 'InvalidAuthToken',
      outcome: 'not-applied',
    });
    expect(logins()).toBeLessThanOrEqual(4);
    expect(rig.arrived().filter(({ path }) => path === PUT.path)).toHaveLength(4);
  });

  it('fails with the refusal when its password is wrong, after one login for each call, and says no secret', async () => {
    await guarded({ auth: { username: 'alice', password: 'wrong-sesame' } });

    const write = rig.write();
    await settle();

    expect(write.error).toBeInstanceOf(EtcdAuthenticationError);
    expect(write.error).toMatchObject({ method: 'KV.Put', reason: 'AuthFailed', outcome: 'not-applied', attempts: 0 });
    expect(write.error.message).not.toContain('wrong-sesame');
    expect(logins()).toBe(1);
  });

  it('works again by itself once the password is good again', async () => {
    const guard = await guarded();
    const isWrong = (call: FakeTransportCall): void =>
      call.fail('etcdserver: authentication failed, invalid user ID or password', GrpcCode.invalidArgument);
    rig.cluster.on(AUTHENTICATE, isWrong);
    const refused = rig.write();
    await settle();
    expect(refused.state).toBe('failed');

    guard.install(rig);
    const accepted = rig.write();
    await settle();

    expect(accepted.state).toBe('answered');
  });

  it('works when authentication is off, and asks no second time', async () => {
    const guard = await guarded();
    guard.isOn = false;

    const calls = [rig.read(), rig.write()];
    await settle();
    rig.read();
    await settle();

    expect(calls.map(({ state }) => state)).toEqual(['answered', 'answered']);
    expect(logins()).toBe(1);
    expect(rig.arrived().every(({ headers }) => headers['token'] === undefined)).toBe(true);
  });

  it('goes on when authentication is switched on, and off again, while it runs', async () => {
    const guard = await guarded();
    guard.isOn = false;
    rig.read();
    await settle();

    guard.isOn = true;
    const afterOn = rig.write();
    await settle();
    guard.isOn = false;
    const afterOff = rig.write();
    await settle();

    expect([afterOn.state, afterOff.state]).toEqual(['answered', 'answered']);
  });

  it('keeps waiting for a token as long as its call has time, though a login has only callTimeoutMs', async () => {
    rig = new Rig({ endpoints: [A], auth: PASSWORD, callTimeoutMs: 1_000 });
    rig.member(A).onConnect = { refuses: 'connect ECONNREFUSED' };
    new Guard().install(rig);
    const write = rig.write({ timeoutMs: 20_000 });
    await rig.clock.advance(5_000);
    expect(write.state).toBe('pending');

    rig.member(A).onConnect = 'accept';
    await rig.clock.advance(3_000);

    expect(write.state).toBe('answered');
  });

  it('fails at once when no endpoint can ever be used', async () => {
    rig = new Rig({ endpoints: [A], auth: PASSWORD });
    rig.member(A).onConnect = { refuses: 'self-signed certificate', misconfigured: true };

    const write = rig.write({ timeoutMs: 20_000 });
    await rig.clock.advance(200);

    expect(write.error).toMatchObject({ code: 'ETCD_UNAVAILABLE', outcome: 'not-applied', method: 'KV.Put' });
    expect(write.error.message).toContain('no token could be had: Auth.Authenticate: no endpoint can be used');
    expect(write.error.message).toContain('self-signed certificate');
  });

  it('is not held up by another caller’s short deadline: the login goes on', async () => {
    await guarded();
    const logs: FakeTransportCall[] = [];
    rig.cluster.on(AUTHENTICATE, (call) => void logs.push(call));
    const hasty = rig.write({ timeoutMs: 10 });
    const patient = rig.write({ timeoutMs: 4_000 });
    await rig.clock.advance(500);
    expect([hasty.state, patient.state]).toEqual(['failed', 'pending']);

    logs[0]!.answer({ token: 'token-0' });
    await settle();

    expect(patient.state).toBe('answered');
    expect(logs).toHaveLength(1);
  });

  it('lets an aborted caller go while the login is under way', async () => {
    await guarded();
    rig.cluster.on(AUTHENTICATE, () => undefined);
    const controller = new AbortController();
    const write = rig.write({ signal: controller.signal });
    await settle();

    controller.abort();
    await settle();

    expect(write.error).toMatchObject({ code: 'ETCD_ABORTED', outcome: 'not-applied' });
  });

  it('retries a login that a member could not do', async () => {
    await guarded();
    rig.member(A).on(AUTHENTICATE, (call) => call.fail('etcdserver: leader changed', GrpcCode.unavailable));

    const write = rig.write();
    await settle();

    expect(write.state).toBe('answered');
    expect(rig.cluster.endpointsOf(AUTHENTICATE)).toEqual([A, B]);
  });

  it('ignores a token refusal that arrives after the token was replaced', async () => {
    const guard = await guarded();
    rig.read();
    await settle();
    const late: FakeTransportCall[] = [];
    rig.member(C).on(PUT, (call) => void late.push(call));
    const slow = rig.write({ endpoint: C });
    await settle();
    guard.expire();
    rig.read();
    await settle();
    expect(logins()).toBe(2);

    rig.member(C).on(PUT, (call) => call.answer({}));
    late[0]!.fail('etcdserver: invalid auth token', GrpcCode.unauthenticated);
    await settle();

    expect(slow.state).toBe('answered');
    expect(logins()).toBe(2);
  });

  it('carries the token on its own probes', async () => {
    await guarded();
    rig.read();
    await settle();
    for (const member of rig.cluster.all()) member.freeze();
    rig.write();
    await rig.clock.advance(1_000);

    const probes = rig.cluster.calls.filter(isProbe);
    expect(probes.map(({ headers }) => headers['token'])).toEqual(['token-1']);
  });
});

describe('C5: a stream', () => {
  it('that ends for its token makes the next stream or call get a new one', async () => {
    await guarded();
    const stream = rig.calls.duplex(WATCH);
    await settle();

    streams()[0]!.finish('etcdserver: invalid auth token', GrpcCode.unauthenticated);
    const next = await stream[Symbol.asyncIterator]()
      .next()
      .catch((error: unknown) => error);
    rig.calls.duplex(WATCH);
    await settle();

    expect(next).toMatchObject({ code: 'ETCD_AUTHENTICATION', method: 'Watch.Watch' });
    expect(
      streams()
        .map(({ headers }) => headers['token'])
        .sort(),
    ).toEqual(['token-1', 'token-2']);
  });

  it('that ends for a token which was replaced meanwhile leaves the new one alone', async () => {
    const guard = await guarded();
    const stream = rig.calls.duplex(WATCH);
    await settle();
    guard.expire();
    rig.read();
    await settle();
    expect(logins()).toBe(2);

    streams()[0]!.finish('etcdserver: invalid auth token', GrpcCode.unauthenticated);
    await stream[Symbol.asyncIterator]()
      .next()
      .catch(() => undefined);
    rig.read();
    await settle();

    expect(logins()).toBe(2);
  });

  it('that cannot get a token ends with the refusal, under its own name', async () => {
    await guarded({ auth: { username: 'alice', password: 'wrong' } });

    const stream = rig.calls.duplex(WATCH);
    const error = await stream[Symbol.asyncIterator]()
      .next()
      .catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'ETCD_AUTHENTICATION', reason: 'AuthFailed', method: 'Watch.Watch' });
  });

  it('and a call that start together share one login', async () => {
    await guarded();

    rig.calls.duplex(WATCH);
    rig.read();
    await settle();

    expect(logins()).toBe(1);
  });
});

describe('C5: a token provider', () => {
  it('gives the token, and a new one when etcd refuses it', async () => {
    const guard = new Guard();
    const tokens = ['token-1', 'token-2'];
    rig = await new Rig({ auth: { token: () => tokens.shift() ?? 'none' } }).connected();
    guard.install(rig);
    guard.issued = 1;
    const first = rig.read();
    await settle();

    guard.expire();
    const second = rig.write();
    await settle();

    expect([first.state, second.state]).toEqual(['answered', 'answered']);
    expect(logins()).toBe(0);
  });

  it('is asked once for all who wait', async () => {
    let asked = 0;
    let answer: (token: string) => void = () => undefined;
    const token = (): Promise<string> => {
      asked += 1;
      return new Promise((resolve) => (answer = resolve));
    };
    rig = await new Rig({ auth: { token } }).connected();
    const calls = Array.from({ length: 100 }, () => rig.read());
    await settle();

    answer('jwt');
    await settle();

    expect(asked).toBe(1);
    expect(calls.every(({ state }) => state === 'answered')).toBe(true);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('vault is sealed');
      },
    ],
    ['rejects', () => Promise.reject(new Error('vault is sealed'))],
  ])('that %s fails the calls with its error as the cause, and is asked again by the next', async (_, token) => {
    rig = await new Rig({ auth: { token } }).connected();

    const write = rig.write();
    await settle();
    const again = rig.write();
    await settle();

    expect(write.error).toMatchObject({ code: 'ETCD_AUTHENTICATION', reason: 'TokenProvider', outcome: 'not-applied' });
    expect((write.error.cause as Error).cause).toMatchObject({ message: 'vault is sealed' });
    expect(again.state).toBe('failed');
    expect(rig.calls.counters().tokenRefreshes).toBe(2);
  });

  it.each([[''], ['  \n'], [undefined], [42]])('that returns %p has returned no token', async (token) => {
    rig = await new Rig({ auth: { token: () => token as string } }).connected();

    const write = rig.write();
    await settle();

    expect(write.error.message).toContain('auth.token returned no token');
  });

  it('may return a token with a line break at its end, as files have it', async () => {
    rig = await new Rig({ endpoints: [A], auth: { token: () => 'jwt\n' } }).connected();

    rig.read();
    await settle();

    expect(rig.arrived()[0]!.headers['token']).toBe('jwt');
  });

  it('may not return what no header can carry, and the error does not repeat it', async () => {
    rig = await new Rig({ auth: { token: () => 'sec ret\u0000' } }).connected();

    const write = rig.write();
    await settle();

    expect(write.error.message).toContain('auth.token returned what is no token');
    expect(write.error.message).not.toContain('sec ret');
  });

  it('that never answers holds up nobody for good: it is asked again after callTimeoutMs', async () => {
    let asked = 0;
    const token = (): Promise<string> => (++asked === 1 ? new Promise(() => undefined) : Promise.resolve('jwt'));
    rig = await new Rig({ auth: { token }, callTimeoutMs: 1_000 }).connected();
    const stuck = rig.write({ timeoutMs: 5_000 });
    await rig.clock.advance(1_000);
    expect(stuck.error).toMatchObject({ code: 'ETCD_AUTHENTICATION', reason: 'TokenProvider' });

    const next = rig.write();
    await settle();

    expect(next.state).toBe('answered');
  });

  it('that returns the same refused token for ever is asked a few times only', async () => {
    let asked = 0;
    const guard = new Guard();
    const token = (): string => {
      asked += 1;
      return 'expired';
    };
    rig = await new Rig({ auth: { token } }).connected();
    guard.install(rig);

    const write = rig.write();
    await rig.clock.advance(5_000);

    expect(write.error).toMatchObject({ reason: 'InvalidAuthToken' });
    expect(asked).toBeLessThanOrEqual(4);
  });
});

describe('C5: a client without credentials', () => {
  it('repeats a call that raced with a change of the auth store, a few times', async () => {
    rig = await new Rig().connected();
    rig.member(A).on(PUT, (call) => call.fail('etcdserver: revision of auth store is old', GrpcCode.invalidArgument));

    const write = rig.write();
    await settle();

    expect(write.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([A, B]);
  });

  it('is not refused so for ever', async () => {
    rig = await new Rig().connected();
    rig.cluster.on(PUT, (call) => call.fail('etcdserver: revision of auth store is old', GrpcCode.invalidArgument));

    const write = rig.write({ timeoutMs: 60_000 });
    await rig.clock.advance(10_000);

    expect(write.error).toMatchObject({ reason: 'AuthOldRevision', outcome: 'not-applied', attempts: 4 });
  });

  it('that etcd demands a user from gets the refusal at once', async () => {
    rig = await new Rig().connected();
    rig.cluster.on(RANGE, (call) => call.fail('etcdserver: user name is empty', GrpcCode.invalidArgument));

    const read = new Outcome(rig.calls.unary(RANGE, { key: Buffer.from('k') }));
    await settle();

    expect(read.error).toMatchObject({ code: 'ETCD_AUTHENTICATION', reason: 'UserEmpty', attempts: 1 });
  });
});
