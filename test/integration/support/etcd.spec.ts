/** The launcher against real etcd: one member, and what a test may do to it. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, freePorts, startEtcd, type Etcd, type Member } from '../../support/index.js';

/** Where a member keeps its data, as its command line says. */
function dataFolderOf(member: Member): string {
  const commandLine = readFileSync(`/proc/${member.pid!}/cmdline`, 'utf8').split('\0');
  return commandLine.find((argument) => argument.startsWith('--data-dir='))!.replace('--data-dir=', '');
}

const isRunning = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe('one member', () => {
  let etcd: Etcd;
  let member: Member;

  beforeAll(async () => {
    etcd = await startEtcd({ own: true, flags: { 'max-txn-ops': 2 } });
    member = etcd.members[0]!;
  });
  afterAll(() => etcd.stop());
  afterEach(() => etcd.gateway.deletePrefix(''));

  it('takes writes and gives them back through the gateway, binary ones too', async () => {
    const binary = Buffer.from([0, 0xff, 0x80, 1]);
    const revision = await etcd.gateway.put('a', 'x');
    await etcd.gateway.put(binary, binary);

    expect(await etcd.gateway.get('a')).toMatchObject({ key: 'a', value: 'x', modRevision: revision, version: 1 });
    expect((await etcd.gateway.get(binary))?.valueBytes).toEqual(binary);
    expect(await etcd.gateway.get('absent')).toBeUndefined();
  });

  it('lists what starts with a prefix, and nothing beside it', async () => {
    for (const key of ['a', 'a/', 'a/1', 'a/\xff', 'a0', 'b']) await etcd.gateway.put(key, 'x');

    expect((await etcd.gateway.getPrefix('a/')).map(({ key }) => key)).toEqual(['a/', 'a/1', 'a/\xff']);
    expect(await etcd.gateway.deletePrefix('a/')).toBe(3);
    expect((await etcd.gateway.getPrefix('')).map(({ key }) => key)).toEqual(['a', 'a0', 'b']);
  });

  it('tells the history of a prefix up to now, deletions and overwritten values included', async () => {
    const first = await etcd.gateway.put('h/1', 'old');
    await etcd.gateway.put('h/1', 'new');
    await etcd.gateway.put('elsewhere', 'x');
    await etcd.gateway.delete('h/1');
    await etcd.gateway.put('elsewhere', 'y');

    const history = await etcd.gateway.history('h/', first);

    expect(history.map(({ type, kv }) => [type, kv.value, kv.modRevision])).toEqual([
      ['put', 'old', first],
      ['put', 'new', first + 1],
      ['delete', '', first + 3],
    ]);
    expect(await etcd.gateway.history('h/', first + 5)).toEqual([]);
  });

  it('refuses a history that is compacted', async () => {
    const old = await etcd.gateway.put('a', 'x');
    const revision = await etcd.gateway.put('a', 'y');
    await etcd.gateway.compact(revision);

    await expect(etcd.gateway.history('', old)).rejects.toThrow('compact');
    expect(await etcd.gateway.history('a', revision)).toHaveLength(1);
  });

  it('grants leases, named as etcdctl prints them', async () => {
    const lease = await etcd.gateway.grantLease(60);
    await etcd.gateway.put('leased', 'x', { lease });

    expect((await etcd.gateway.get('leased'))?.lease).toBe(lease);
    expect(await etcd.gateway.leases()).toEqual([lease]);
    await etcd.gateway.revokeLease(lease);
    expect(await etcd.gateway.get('leased')).toBeUndefined();
  });

  it('was started with the flags that the test gave', async () => {
    const put = { request_put: { key: 'YQ==', value: 'YQ==' } };

    await expect(etcd.gateway.call('/v3/kv/txn', { success: [put, put, put] })).rejects.toThrow('too many operations');
  });

  it('answers etcdctl', async () => {
    await etcd.gateway.put('a', 'x');

    expect(await etcd.etcdctl('get', 'a')).toBe('a\nx\n');
  });

  it('keeps port and data over a restart, in the ordinary way and after a crash', async () => {
    await etcd.gateway.put('kept', 'x');
    const [endpoint, pid] = [member.endpoint, member.pid];

    await member.restart();
    expect(member.pid).not.toBe(pid);
    expect((await etcd.gateway.get('kept'))?.value).toBe('x');

    await member.kill();
    expect(member.pid).toBeUndefined();
    await expect(etcd.gateway.get('kept')).rejects.toThrow('no member is running');
    await member.restart();

    expect((await etcd.gateway.get('kept'))?.value).toBe('x');
    expect(member.endpoint).toBe(endpoint);
  });

  it('stands still while it is frozen, and goes on when it is resumed', async () => {
    const { pid } = member;

    await member.freeze();
    expect(member.isAwake).toBe(false);
    expect(await member.isHealthy()).toBe(false);

    await member.resume();
    await eventually(() => member.isHealthy(), { what: 'healthy again' });
    expect(member.pid).toBe(pid);
  });

  it('says that it cannot be frozen while it is down', async () => {
    await member.stop();

    await expect(member.freeze()).rejects.toThrow('m0 is down');
    await member.restart();
  });
});

describe('startEtcd', () => {
  it('leaves neither process nor data behind after stop, whatever state the member is in', async () => {
    const running = await startEtcd({ own: true });
    const frozen = await startEtcd({ own: true });
    const [first, second] = [running.members[0]!, frozen.members[0]!];
    const [pids, folders] = [[first.pid!, second.pid!], [first, second].map((member) => dirname(dataFolderOf(member)))];
    await second.freeze();

    await Promise.all([running.stop(), frozen.stop()]);

    expect(pids.filter(isRunning)).toEqual([]);
    expect(folders.filter((folder) => existsSync(folder))).toEqual([]);
  });

  it('shows what etcd said when it cannot start, and leaves nothing behind', async () => {
    await expect(startEtcd({ own: true, flags: { 'no-such-flag': 1 } })).rejects.toThrow('no-such-flag');
  });

  it('tries other ports when one was taken meanwhile, and gives up in the end', async () => {
    const [port] = await freePorts(1);
    const squatter = createServer().listen(port, '127.0.0.1');

    const start = startEtcd({ own: true, flags: { 'listen-client-urls': `http://127.0.0.1:${port!}` } });

    await expect(start).rejects.toThrow('address already in use');
    squatter.close();
  });

  describe('with ETCD_ENDPOINTS', () => {
    const before = process.env['ETCD_ENDPOINTS'];
    let etcd: Etcd;

    beforeAll(async () => {
      etcd = await startEtcd({ own: true });
      process.env['ETCD_ENDPOINTS'] = etcd.endpoint.replace('http://', '');
    });
    afterAll(async () => {
      if (before === undefined) delete process.env['ETCD_ENDPOINTS'];
      else process.env['ETCD_ENDPOINTS'] = before;
      await etcd.stop();
    });

    it('gives a handle around what runs there, which cannot be killed and goes on after stop', async () => {
      const foreign = await startEtcd();
      await foreign.gateway.put('a', 'x');
      expect(foreign).toMatchObject({ members: [], endpoints: etcd.endpoints, version: etcd.version });
      expect(await foreign.leaderIndex()).toBe(0);

      await foreign.stop();

      expect((await etcd.gateway.get('a'))?.value).toBe('x');
    });

    it('starts one all the same for a test that asks for what a foreign etcd may not have', async () => {
      const own = await startEtcd({ flags: { 'max-txn-ops': 2 } });

      expect(own.endpoint).not.toBe(etcd.endpoint);
      expect(own.members).toHaveLength(1);
      await own.stop();
    });
  });
});
