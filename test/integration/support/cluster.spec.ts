/** The launcher with three members: leaders, quorum, and authentication by tokens of both kinds. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, startCluster, type Etcd } from '../../support/index.js';

describe('three members', () => {
  let etcd: Etcd;

  beforeAll(async () => {
    etcd = await startCluster();
  });
  afterAll(() => etcd.stop());

  it('hold the same data', async () => {
    await etcd.gatewayOf(0).put('a', 'x');

    expect((await etcd.gatewayOf(1).get('a'))?.value).toBe('x');
    expect((await etcd.gatewayOf(2).get('a'))?.value).toBe('x');
  });

  it('move their leader where the test wants it', async () => {
    const next = ((await etcd.leaderIndex()) + 1) % 3;

    await etcd.moveLeader(next);

    expect(await etcd.leaderIndex()).toBe(next);
    expect((await etcd.status(0)).leader).toBe((await etcd.status(next)).memberId);
  });

  it('elect another leader when theirs is killed, and take it back when it is restarted', async () => {
    const killed = await etcd.leaderIndex();

    await etcd.members[killed]!.kill();
    const successor = await etcd.leaderIndex();
    expect(successor).not.toBe(killed);
    await etcd.gateway.put('b', 'x');

    await etcd.members[killed]!.restart();
    expect((await etcd.gatewayOf(killed).get('b'))?.value).toBe('x');
  });

  it('lose their quorum with two members and come back with the first of them', async () => {
    const [first, second, third] = etcd.members;
    await Promise.all([first!.kill(), second!.kill()]);
    await eventually(async () => !(await third!.isHealthy()), { what: 'the last member sick' });

    await first!.restart();
    await third!.ready();

    await second!.restart({ waitUntilReady: false });
    await second!.ready();
  });
});

describe('authentication', () => {
  it.each(['simple', 'jwt'] as const)(
    'with %s tokens keeps strangers out and lets users do what their roles allow',
    async (token) => {
      const etcd = await startCluster({ members: 1, auth: { token, tokenTtlSeconds: 60 } });
      await etcd.auth.addRole('reader', [{ type: 'read', prefix: 'public/' }]);
      await etcd.auth.addUser('ann', 'ann-password', ['reader']);
      await etcd.gateway.put('public/a', 'x');

      const anonymous = etcd.as(undefined);
      const ann = etcd.as({ name: 'ann', password: 'ann-password' });
      await expect(anonymous.put('public/a', 'y')).rejects.toThrow('user name is empty');
      expect((await ann.get('public/a'))?.value).toBe('x');
      await expect(ann.put('public/a', 'y')).rejects.toThrow('permission denied');
      await expect(ann.get('private')).rejects.toThrow('permission denied');

      await etcd.auth.disable();
      await anonymous.put('public/a', 'z');
      expect((await etcd.gateway.get('public/a'))?.value).toBe('z');
      await etcd.stop();
    },
  );

  it('renews the rig’s own token when it has expired', async () => {
    const etcd = await startCluster({ members: 1, auth: { token: 'jwt', tokenTtlSeconds: 1 } });
    await etcd.gateway.put('a', 'x');
    const younger = etcd.withToken(await etcd.auth.login(etcd.auth.root!));

    const isRefused = (): Promise<boolean> => younger.get('a').then(() => false, isInvalidToken);
    await eventually(isRefused, { what: 'the end of a token' });

    expect((await etcd.gateway.get('a'))?.value).toBe('x');
    await etcd.stop();
  });

  it('takes the tokens that the test has signed, until they expire', async () => {
    const etcd = await startCluster({ members: 1, auth: { token: 'jwt' } });
    const issued = await etcd.auth.login(etcd.auth.root!);
    const claims = JSON.parse(Buffer.from(issued.split('.')[1]!, 'base64url').toString()) as { exp: number };
    const [valid, expired] = [claims, { ...claims, exp: claims.exp - 3600 }].map((own) => etcd.auth.jwt!.issue(own));

    await etcd.withToken(valid!).put('a', 'x');
    await expect(etcd.withToken(expired!).get('a')).rejects.toThrow('invalid auth token');
    await etcd.stop();
  });

  it('can be switched on and off again while the members run', async () => {
    const etcd = await startCluster({ members: 1 });
    await etcd.gateway.put('a', 'x');

    await etcd.auth.enable();
    await expect(etcd.as(undefined).get('a')).rejects.toThrow('user name is empty');
    expect(await etcd.etcdctl('get', 'a', '--print-value-only')).toBe('x\n');
    await etcd.auth.changePassword('root', 'another');
    expect((await etcd.gateway.get('a'))?.value).toBe('x');

    await etcd.auth.disable();
    expect((await etcd.as(undefined).get('a'))?.value).toBe('x');
    await etcd.auth.enable();
    await etcd.stop();
  });
});

const isInvalidToken = (error: unknown): boolean => String(error).includes('invalid auth token');
