/** sample/02-live as a child process on a real etcd: the stream, edits, conflicts, an outage, the end, and the page, in a browser where there is one. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';
import { builtSample } from '../support/built.js';
import { eventually, freePorts, listening, startChild, startEtcd, type Child, type Etcd } from '../support/index.js';
import { runningMs } from '../support/running-time.js';

interface Message {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const BROWSER = '/usr/bin/chromium';

let etcd: Etcd;
let app: Child;
let url: string;
const ends: (() => Promise<unknown>)[] = [];

async function startApp(): Promise<void> {
  const [port] = await freePorts(1);
  const env = { PORT: String(port), ETCD_ENDPOINTS: etcd.endpoint, NO_COLOR: '1' };
  app = await startChild(process.execPath, [join(builtSample('02-live'), 'main.js')], { env });
  url = `http://127.0.0.1:${port}`;
  await listening(app, url);
}

/** Reads the stream in the background until the test ends. */
async function listen(): Promise<{ readonly messages: Message[]; readonly ended: Promise<void> }> {
  const leaving = new AbortController();
  ends.push(() => {
    leaving.abort();
    return Promise.resolve();
  });
  const response = await fetch(`${url}/live`, { signal: leaving.signal });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const messages: Message[] = [];
  const ended = readInto(messages, response.body!).catch((error: unknown) => {
    if (!leaving.signal.aborted) throw error;
  });
  return { messages, ended };
}

async function readInto(messages: Message[], body: AsyncIterable<Uint8Array>): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/s) as [string, string]));
      const data = fields.get('data');
      if (data !== undefined) messages.push({ type: fields.get('event') ?? '', data: JSON.parse(data) });
    }
  }
}

function message(messages: readonly Message[], type: string, key?: string): Promise<Message> {
  return eventually(
    () => messages.findLast((each) => each.type === type && (key === undefined || each.data['key'] === key)),
    { what: `${type} ${key ?? ''}`, timeoutMs: 5_000 },
  );
}

async function ask(method: string, path: string, body?: unknown): Promise<Response> {
  const headers = { connection: 'close', 'content-type': 'application/json' };
  return fetch(`${url}${path}`, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
}

async function presenceKeys(): Promise<string[]> {
  return (await etcd.gateway.getPrefix('live/presence/')).map(({ key }) => key);
}

beforeAll(async () => {
  etcd = await startEtcd({ own: true });
}, 120_000);

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

afterAll(() => etcd.stop());

describe('sample/02-live', () => {
  beforeAll(startApp, 30_000);
  afterAll(() => app.stop());

  it('streams the keys as they are, and then every change, without the prefix', async () => {
    await etcd.gateway.put('live/before', 'there');
    await etcd.gateway.put('elsewhere', 'hidden');
    const { messages } = await listen();
    const reset = await message(messages, 'reset');

    await etcd.gateway.put('live/colour', 'red');
    await etcd.gateway.delete('live/before');
    const put = await message(messages, 'put', 'colour');
    await message(messages, 'delete', 'before');

    expect(reset.data['keys']).toContainEqual(expect.objectContaining({ key: 'before', value: 'there' }));
    expect(put.data).toMatchObject({ value: 'red', modRevision: put.data['revision'] });
    expect(JSON.stringify(messages)).not.toContain('hidden');
  });

  it('serves one page, which gets everything from this app, by the paths that the other tests use', async () => {
    const response = await fetch(url, { headers: { connection: 'close' } });
    const page = await response.text();

    expect(response.headers.get('content-type')).toContain('text/html');
    expect(page).toContain("new EventSource('live')");
    expect(page).toContain('fetch(`keys/${encodeURIComponent(key)}');
    expect(page).not.toMatch(/(?:src|href|url|import)[=(\s]*['"]?(?:https?:)?\/\//i);
  });

  it('tells the state of the connection, the lag of watches, the lease it holds, and what has changed', async () => {
    await etcd.gateway.put('live/noted', 'x');
    const { messages } = await listen();
    await eventually(async () => JSON.stringify(await message(messages, 'status')).includes('noted'), {
      what: 'the change in the list',
    });
    const { data } = await message(messages, 'status');

    const [presence] = await presenceKeys();
    expect(data).toMatchObject({
      state: 'ready',
      endpoints: [{ endpoint: etcd.endpoint, state: 'ready' }],
      watch: { watches: 2, lag: 0 },
      lease: { isAlive: true, key: presence!.replace('live/', '') },
      changes: expect.arrayContaining([{ type: 'created', key: 'noted', revision: expect.any(Number) }]),
    });
  });

  it('writes and deletes a key only as the person saw it', async () => {
    const created = await ask('PUT', '/keys/edited', { value: 'one', revision: null });
    const { revision } = (await created.json()) as { revision: number };
    const changed = await ask('PUT', '/keys/edited', { value: 'two', revision });
    const late = await ask('PUT', '/keys/edited', { value: 'three', revision });
    const again = await ask('PUT', '/keys/edited', { value: 'four', revision: null });
    const stale = await ask('DELETE', `/keys/edited?revision=${revision}`);
    const kept = await etcd.gateway.get('live/edited');
    const deleted = await ask('DELETE', `/keys/edited?revision=${String(revision + 1)}`);

    expect([created, changed, late, again, stale, deleted].map(({ status }) => status)).toEqual([
      200, 200, 409, 409, 409, 200,
    ]);
    expect(kept?.value).toBe('two');
    expect(await etcd.gateway.get('live/edited')).toBeUndefined();
  });

  it.each([
    ['no revision', { value: 'x' }],
    ['a value that is no text', { value: 1, revision: null }],
  ])('refuses an edit with %s', async (_what, body) => {
    expect((await ask('PUT', '/keys/bad', body)).status).toBe(400);
  });

  it('keeps its streams through an outage of etcd, and goes on by itself', async () => {
    const { messages } = await listen();
    await message(messages, 'reset');

    await etcd.members[0]!.kill();
    await eventually(async () => (await message(messages, 'status')).data['state'] !== 'ready', { what: 'the outage' });
    await etcd.members[0]!.restart();
    await etcd.gateway.put('live/after', 'the outage');
    const put = await message(messages, 'put', 'after');

    expect(put.data).toMatchObject({ value: 'the outage' });
    await eventually(async () => (await message(messages, 'status')).data['state'] === 'ready', { what: 'ready' });
  }, 30_000);
});

describe('sample/02-live, when it is told to end', () => {
  afterEach(() => app.stop());

  it('M5 takes its presence away at once, ends open streams, and ends by itself', async () => {
    await startApp();
    const { messages, ended } = await listen();
    await eventually(async () => (await presenceKeys()).length === 1, { what: 'the presence' });
    await message(messages, 'reset');
    const startedAt = runningMs();

    app.signal('SIGTERM');
    await eventually(async () => (await presenceKeys()).length === 0, { what: 'the end of the presence' });
    const goneAfterMs = runningMs() - startedAt;
    await ended;
    const exit = await app.exited();

    expect(goneAfterMs).toBeLessThan(1_500);
    expect(exit).toEqual({ code: null, signal: 'SIGTERM' });
    expect(runningMs() - startedAt).toBeLessThan(5_000);
    expect(app.output).not.toMatch(/error|warn/i);
  }, 30_000);
});

// A machine without Chromium has these tests not at all, rather than skipped: the ones above need no browser.
if (existsSync(BROWSER)) {
  describe('the page of sample/02-live in Chromium', () => {
    let browser: Browser;
    let page: Page;
    const problems: string[] = [];

    beforeAll(async () => {
      await startApp();
      const quiet = ['quic', 'background-networking', 'component-update', 'sync'].map((part) => `--disable-${part}`);
      const args = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', ...quiet];
      browser = await chromium.launch({ executablePath: BROWSER, args });
      page = await browser.newPage();
      page.on('pageerror', (error) => problems.push(error.message));
      await page.goto(url);
    }, 60_000);

    afterAll(async () => {
      await browser.close();
      await app.stop();
    });

    it('shows keys as they come, change and go', async () => {
      const row = page.locator('[data-key="shown"]');

      await etcd.gateway.put('live/shown', 'first');
      await row.waitFor();
      await etcd.gateway.put('live/shown', 'second');
      await eventually(async () => (await row.locator('.value').inputValue()) === 'second', { what: 'the new value' });
      await etcd.gateway.delete('live/shown');
      await row.waitFor({ state: 'detached' });

      await page.getByText(/shown deleted/).waitFor();
    }, 30_000);

    it('lets a person add, edit and delete a key', async () => {
      await page.getByLabel('new key').fill('by/hand');
      await page.getByLabel('new value').fill('typed');
      await page.getByRole('button', { name: 'Add' }).click();
      const row = page.locator('[data-key="by/hand"]');
      await row.waitFor();
      await row.locator('.value').fill('edited');
      await row.getByRole('button', { name: 'Save' }).click();
      await eventually(async () => (await etcd.gateway.get('live/by/hand'))?.value === 'edited', { what: 'the edit' });
      await row.getByRole('button', { name: 'Delete' }).click();
      await row.waitFor({ state: 'detached' });

      expect(await etcd.gateway.get('live/by/hand')).toBeUndefined();
    }, 30_000);

    it('says when somebody else was quicker', async () => {
      await page.getByLabel('new key').fill('taken');
      await etcd.gateway.put('live/taken', 'already');
      await page.getByRole('button', { name: 'Add' }).click();

      await page.getByRole('alert').getByText('somebody else has changed taken meanwhile').waitFor();
    }, 30_000);

    it('shows the state of the connection, the lag and the lease, and that text is never markup', async () => {
      await etcd.gateway.put('live/<img src=x onerror=boom()>', '<b>bold</b>');
      await page.locator('[data-key^="<img"]').waitFor();

      expect(await page.getByRole('status').textContent()).toBe('ready');
      expect(await page.locator('#lag').textContent()).toBe('0');
      expect(await page.locator('#lease').textContent()).toMatch(/^[0-9a-f]+, \d+\.\d s left$/);
      expect(await page.locator('img').count()).toBe(0);
      expect(problems).toEqual([]);
    }, 30_000);
  });
}
