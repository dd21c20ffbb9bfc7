/** sample/01-basic as a child process on a real etcd: every route, bad input, health through an outage, metrics, shutdown. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  freePorts,
  listening,
  startChild,
  startEtcd,
  type Child,
  type Etcd,
  type Member,
} from '../support/index.js';
import { builtSample } from '../support/built.js';
import { runningMs } from '../support/running-time.js';

interface Answer {
  readonly status: number;
  readonly text: string;
  /** Empty when the answer is no JSON object. */
  readonly body: Readonly<Record<string, unknown>>;
}

interface Mistake {
  readonly what: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

let etcd: Etcd;
let member: Member;
let app: Child;
let url: string;

async function startApp(): Promise<void> {
  const [port] = await freePorts(1);
  const env = { PORT: String(port), ETCD_ENDPOINTS: etcd.endpoint, NO_COLOR: '1' };
  app = await startChild(process.execPath, [join(builtSample('01-basic'), 'main.js')], { env });
  url = `http://127.0.0.1:${port}`;
  await listening(app, url);
}

/** Without keep-alive: a connection that the client keeps would hold up the end of the app, for some seconds. */
async function ask(method: string, path: string, body?: unknown): Promise<Answer> {
  const headers = { connection: 'close', 'content-type': 'application/json' };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(`${url}${path}`, { method, headers, ...sent });
  const text = await response.text();
  const parsed = text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : {};
  return { status: response.status, text, body: parsed };
}

/** How often the app has put a key, as its own metrics say. */
async function countedPuts(code: string): Promise<number> {
  const { text } = await ask('GET', '/metrics');
  const lines = text.split('\n').filter((line) => line.startsWith('grpc_client_handled_total{'));
  const line = lines.find((each) => each.includes('grpc_method="Put"') && each.includes(`grpc_code="${code}"`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

beforeAll(async () => {
  etcd = await startEtcd({ own: true });
  member = etcd.members[0]!;
}, 120_000);

afterAll(() => etcd.stop());

describe('sample/01-basic', () => {
  beforeAll(startApp, 30_000);
  afterAll(() => app.stop());

  describe('keys and values', () => {
    it('puts, gets and deletes a key', async () => {
      const put = await ask('PUT', '/kv/greeting', { value: 'hello' });
      const got = await ask('GET', '/kv/greeting');
      const deleted = await ask('DELETE', '/kv/greeting');
      const gone = await ask('GET', '/kv/greeting');

      expect(put).toMatchObject({ status: 200, body: { key: 'greeting', modRevision: expect.any(Number) } });
      const revision = put.body['modRevision'];
      expect(got.status).toBe(200);
      expect(got.body).toEqual({
        key: 'greeting',
        value: 'hello',
        createRevision: revision,
        modRevision: revision,
        version: 1,
      });
      expect(deleted).toMatchObject({ status: 200, body: { deleted: 1 } });
      expect(gone.status).toBe(404);
    });

    it('keeps keys with slashes, spaces and other scripts, percent-encoded in the path', async () => {
      const key = 'app/ñandú 名/?&=%2F';
      await ask('PUT', `/kv/${encodeURIComponent(key)}`, { value: '' });

      const { body } = await ask('GET', `/kv/${encodeURIComponent(key)}`);

      expect(body).toMatchObject({ key, value: '' });
      expect((await etcd.gateway.get(key))?.value).toBe('');
    });

    it('lists the keys of a prefix, up to a limit, and counts all of them', async () => {
      for (const name of ['a', 'b', 'c']) await ask('PUT', `/kv/list%2F${name}`, { value: name });
      await ask('PUT', '/kv/listless', { value: 'another prefix' });

      const all = await ask('GET', '/kv?prefix=list%2F');
      const some = await ask('GET', '/kv?prefix=list%2F&limit=2');

      expect(all.body).toMatchObject({ kvs: [{ key: 'list/a' }, { key: 'list/b' }, { key: 'list/c' }], count: 3 });
      expect(some.body).toMatchObject({ kvs: [{ key: 'list/a' }, { key: 'list/b' }], count: 3 });
    });
  });

  describe('compare-and-set', () => {
    it('writes when the value is the expected one, and creates when none is expected', async () => {
      const created = await ask('POST', '/kv/cas/compare-and-set', { expected: null, value: 'one' });
      const changed = await ask('POST', '/kv/cas/compare-and-set', { expected: 'one', value: 'two' });

      expect([created.status, changed.status]).toEqual([200, 200]);
      expect((await ask('GET', '/kv/cas')).body).toMatchObject({
        value: 'two',
        modRevision: changed.body['modRevision'],
      });
    });

    it('answers 409 with the current value when it is another one, and leaves it', async () => {
      await ask('PUT', '/kv/taken', { value: 'mine' });

      const wrong = await ask('POST', '/kv/taken/compare-and-set', { expected: 'yours', value: 'new' });
      const exists = await ask('POST', '/kv/taken/compare-and-set', { expected: null, value: 'new' });
      const missing = await ask('POST', '/kv/nothing/compare-and-set', { expected: 'x', value: 'new' });

      expect(wrong).toMatchObject({ status: 409, body: { current: { key: 'taken', value: 'mine' } } });
      expect(exists).toMatchObject({ status: 409, body: { current: { value: 'mine' } } });
      expect(missing).toMatchObject({ status: 409, body: { current: null } });
      expect((await ask('GET', '/kv/taken')).body['value']).toBe('mine');
    });
  });

  describe('bad input', () => {
    const value = { value: 'x' };
    const tooLong = 'k'.repeat(1025);
    const cas = { expected: null, value: 'x' };

    it.each<Mistake>([
      { what: 'a put without a key', method: 'PUT', path: '/kv/', body: value },
      { what: 'a delete without a key', method: 'DELETE', path: '/kv/' },
      { what: 'a compare-and-set without a key', method: 'POST', path: '/kv//compare-and-set', body: cas },
      { what: 'a list without a prefix', method: 'GET', path: '/kv' },
      { what: 'a list with an empty prefix', method: 'GET', path: '/kv?prefix=' },
      { what: 'a list with two prefixes', method: 'GET', path: '/kv?prefix=a&prefix=b' },
      { what: 'a limit of zero', method: 'GET', path: '/kv?prefix=a&limit=0' },
      { what: 'a limit that is no number', method: 'GET', path: '/kv?prefix=a&limit=ten' },
      { what: 'a limit above the largest', method: 'GET', path: '/kv?prefix=a&limit=1001' },
      { what: 'an unknown parameter', method: 'GET', path: '/kv?prefix=a&sort=key' },
      { what: 'a key that is too long', method: 'GET', path: `/kv/${tooLong}` },
      { what: 'a key that is no UTF-8', method: 'GET', path: '/kv/%ff' },
      { what: 'a put without a body', method: 'PUT', path: '/kv/a' },
      { what: 'a put without a value', method: 'PUT', path: '/kv/a', body: {} },
      { what: 'a value that is no text', method: 'PUT', path: '/kv/a', body: { value: 1 } },
      {
        what: 'a value that etcd would not take',
        method: 'PUT',
        path: '/kv/a',
        body: { value: 'v'.repeat(1024 * 1024 + 1) },
      },
      { what: 'a value that is no Unicode', method: 'PUT', path: '/kv/a', body: { value: '\ud800' } },
      { what: 'an unknown field', method: 'PUT', path: '/kv/a', body: { value: 'x', ttl: 5 } },
      { what: 'a compare-and-set that expects nothing', method: 'POST', path: '/kv/a/compare-and-set', body: value },
      { what: 'a key of too many bytes', method: 'PUT', path: `/kv/${'%C3%A9'.repeat(513)}`, body: value },
      { what: 'a value of too many bytes', method: 'PUT', path: '/kv/a', body: { value: 'é'.repeat(2 ** 19 + 1) } },
      { what: 'a body that is a list', method: 'PUT', path: '/kv/a', body: [value] },
    ])('answers $what with 400 and the reason', async ({ method, path, body }) => {
      const answer = await ask(method, path, body);

      expect(answer).toMatchObject({ status: 400, body: { statusCode: 400 } });
      expect(String(answer.body['message'])).not.toBe('');
    });

    it('takes the longest key and the largest value that it promises to take', async () => {
      const key = 'k'.repeat(1024);
      const largest = '"'.repeat(1024 * 1024);

      expect((await ask('PUT', `/kv/${key}`, { value: largest })).status).toBe(200);
      expect((await ask('GET', `/kv/${key}`)).body['value']).toBe(largest);
    });
  });

  it('counts its calls on /metrics under the names of go-grpc-prometheus', async () => {
    const before = await countedPuts('OK');
    for (let index = 0; index < 3; index++) await ask('PUT', '/kv/counted', { value: String(index) });

    const { text } = await ask('GET', '/metrics');

    expect(await countedPuts('OK')).toBe(before + 3);
    expect(text).toMatch(/^grpc_client_started_total\{.*grpc_service="etcdserverpb.KV".*\} \d+$/m);
    expect(text).not.toContain('counted');
  });

  it('reports health with version, leader and database size, 503 with the reason while etcd is down, and recovers by itself', async () => {
    const healthy = await ask('GET', '/health');
    await member.kill();
    const down = await eventually(
      async () => {
        const answer = await ask('GET', '/health');
        return answer.status === 503 ? answer : undefined;
      },
      { what: '503', timeoutMs: 3_000 },
    );
    const duringOutage = await ask('GET', '/kv/greeting');
    await member.restart();
    const recovered = await eventually(async () => (await ask('GET', '/health')).status === 200, {
      what: '200 after the restart',
      timeoutMs: 5_000,
    });

    expect(healthy.status).toBe(200);
    expect(healthy.text).toContain(`"version":"${etcd.version}"`);
    expect(healthy.text).toMatch(/"leader":"[0-9a-f]+"/);
    expect(healthy.text).toMatch(/"dbSize":[1-9]\d*/);
    expect(down.text).toMatch(/the connection was (closed|lost)|ECONNREFUSED/);
    expect(duringOutage).toMatchObject({ status: 503, body: { code: 'ETCD_UNAVAILABLE' } });
    expect(recovered).toBe(true);
    expect(app.isRunning).toBe(true);
  });
});

describe('sample/01-basic, when it is told to end', () => {
  beforeEach(startApp, 30_000);
  afterEach(() => app.stop());

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'M4: finishes the request in flight on %s, then ends by itself',
    async (signal) => {
      await ask('PUT', '/kv/before', { value: 'connects the client' });
      await member.freeze();
      const inFlight = ask('PUT', '/kv/in-flight', { value: 'still written' });
      await eventually(async () => (await startedPuts()) === 2, { what: 'the put on its way' });

      app.signal(signal);
      await eventually(async () => !(await answers()), { what: 'no new connections' });
      await member.resume();
      const answer = await inFlight;
      const exit = await Promise.race([app.exited(), timeout(3_000)]);

      expect(answer).toMatchObject({ status: 200, body: { key: 'in-flight' } });
      expect(exit).toEqual({ code: null, signal });
      expect((await etcd.gateway.get('in-flight'))?.value).toBe('still written');
      expect(app.output).not.toMatch(/error|warn/i);
    },
  );

  it('ends at once when it has nothing to do', async () => {
    const startedAt = runningMs();

    app.signal('SIGTERM');
    await app.exited();

    expect(runningMs() - startedAt).toBeLessThan(2_000);
  });

  function answers(): Promise<boolean> {
    return ask('GET', '/metrics').then(
      () => true,
      () => false,
    );
  }

  async function startedPuts(): Promise<number> {
    const { text } = await ask('GET', '/metrics');
    const line = /^grpc_client_started_total\{.*grpc_method="Put".*\} (\d+)$/m.exec(text);
    return Number(line?.[1] ?? 0);
  }
});

describe('sample/01-basic, started wrongly', () => {
  it.each([
    ['a PORT that is no number', { PORT: 'http' }, /PORT/],
    ['an endpoint without a port', { ETCD_ENDPOINTS: 'etcd-1' }, /endpoints\[0\]/],
    ['an empty endpoint', { ETCD_ENDPOINTS: '' }, /endpoints\[0\]/],
  ])('ends with an error that names the fault: %s', async (_what, env, fault) => {
    const main = join(builtSample('01-basic'), 'main.js');
    await using child = await startChild(process.execPath, [main], { env: { NO_COLOR: '1', ...env } });

    const { code } = await child.exited();

    expect(code).toBe(1);
    expect(child.output).toMatch(fault);
  });
});

function timeout(timeoutMs: number): Promise<string> {
  return new Promise((resolve) => setTimeout(() => resolve(`still running after ${timeoutMs} ms`), timeoutMs).unref());
}
