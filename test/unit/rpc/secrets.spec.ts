/** C5: who looks into a client, at any moment and as deep as possible, finds neither password nor token nor key. */
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../../lib/client/client.js';
import { AUTHENTICATE, PUT, WATCH } from '../../../lib/client/rpc/methods.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import { FakeClock, settle } from '../../support/fake-clock.js';
import type { FakeTransportCall } from '../../support/fake-transport.js';
import { A, Rig } from './rig.js';

let rig: Rig;

afterEach(() => rig.leaveNothing());

const PASSWORD = 'open-sesame';
const TOKEN = 'very-secret-token';

/** Every way somebody may print an object. Buffers are looked at as text too. */
function printed(value: unknown): string {
  const seen = new Set<unknown>();
  const asJson = JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'object' && inner !== null) {
      if (seen.has(inner)) return undefined;
      seen.add(inner);
    }
    return inner;
  });
  return [inspect(value, { depth: 12, maxStringLength: null, maxArrayLength: null }), asJson, String(value)].join('\n');
}

/** A rig whose member hands out the token and leaves writes open; what is made up for the test is not looked into. */
async function secretRig(): Promise<{ writes: FakeTransportCall[] }> {
  rig = await new Rig({ endpoints: [A], auth: { username: 'alice', password: PASSWORD } }).connected();
  const writes: FakeTransportCall[] = [];
  rig.cluster.on(AUTHENTICATE, (call) => call.answer({ token: TOKEN }));
  rig.cluster.on(PUT, (call) => void writes.push(call));
  return { writes };
}

function clientParts(): unknown[] {
  return [rig.calls, rig.endpoints, rig.headers];
}

function expectNoSecret(...values: unknown[]): void {
  const text = values.map(printed).join('\n');
  expect(text).not.toContain(PASSWORD);
  expect(text).not.toContain(TOKEN);
}

describe('C5: inside a client', () => {
  it('that is idle there is no password to be seen', async () => {
    await secretRig();

    expectNoSecret(...clientParts());
  });

  it('that is logging in there is none either', async () => {
    await secretRig();
    rig.cluster.on(AUTHENTICATE, () => undefined);
    const write = rig.write();
    await settle();
    expect(write.state).toBe('pending');

    expectNoSecret(...clientParts());
  });

  it('that holds a token, with calls and streams under way, there is no token', async () => {
    const { writes } = await secretRig();
    rig.write();
    const stream = rig.calls.duplex(WATCH);
    await settle();
    expect(writes[0]!.headers['token']).toBe(TOKEN);

    expectNoSecret(...clientParts(), stream);
  });
});

describe('C5: in an error', () => {
  it.each([
    ['the deadline', 5_000, undefined],
    ['a refused token', 5_000, 'etcdserver: invalid auth token'],
    ['a denied permission', 0, 'etcdserver: permission denied'],
    ['a broken connection', 0, 'Connection dropped'],
  ])('of %s there is no secret, all its causes included', async (_, afterMs, text) => {
    await secretRig();
    if (text !== undefined) rig.cluster.on(PUT, (call) => call.fail(text, GrpcCode.unavailable));
    const write = rig.write();

    await rig.clock.advance(afterMs);

    expectNoSecret(write.error, write.error.stack);
  });

  it('of a wrong password there is none', async () => {
    await secretRig();
    rig.cluster.on(AUTHENTICATE, (call) =>
      call.fail('etcdserver: authentication failed, invalid user ID or password', GrpcCode.invalidArgument),
    );
    const write = rig.write();
    await settle();

    expectNoSecret(write.error);
  });
});

describe('C5: a whole client', () => {
  it.each([
    ['a password', { endpoints: 'http://127.0.0.1:1', auth: { username: 'alice', password: PASSWORD } }],
    ['a token provider', { endpoints: 'http://127.0.0.1:1', auth: { token: () => TOKEN } }],
    ['a key', { endpoints: 'https://127.0.0.1:1', tls: { cert: 'c', key: `-----BEGIN PRIVATE KEY----- ${PASSWORD}` } }],
  ])('with %s shows none of it, nor do its services', async (_, options) => {
    rig = new Rig();
    const client = new EtcdClient(options);
    try {
      expectNoSecret(client, client.kv, client.auth, client.maintenance, client.stats());
    } finally {
      await client.close();
    }
  });
});

describe('the clock of these tests', () => {
  it('counts the timers that are left, which is what they lean on', async () => {
    rig = new Rig();
    const clock = new FakeClock();
    const fired: string[] = [];
    clock.after(10, () => fired.push('b'));
    clock.after(5, () => {
      fired.push('a');
      clock.after(5, () => fired.push('c'), 'background');
    });
    clock.after(7, () => fired.push('never'))();

    expect(clock.pending()).toEqual([5, 10]);
    await clock.advance(5);
    expect([fired, clock.pending('foreground'), clock.pending('background')]).toEqual([['a'], [5], [5]]);
    await clock.advance(5);

    expect(fired).toEqual(['a', 'b', 'c']);
    expect(clock.pending()).toEqual([]);
  });
});
