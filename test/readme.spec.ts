/** The documents are true: every program in the README compiles and does what it says, and every link leads somewhere. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { programsOf, type Programs } from './readme/programs.js';
import { eventually, freePorts, listening, startChild, startEtcd, type Child, type Etcd } from './support/index.js';
import { builtLibrary, ROOT_FOLDER } from './support/built.js';

const ENDPOINT = 'http://127.0.0.1:2379';
const TESTED = [
  'smallest',
  'client',
  'watches',
  'leases',
  'coordination',
  'views',
  'endpoints',
  'administration',
  'errors',
  'configured',
  'filtered',
  'handled',
  'coordinated',
  'scoped',
  'healthy',
  'measured',
  'intercepted',
  'secure',
];

let programs: Programs;
let etcd: Etcd;
let secureEtcd: Etcd;
let port: number;

beforeAll(async () => {
  builtLibrary();
  [programs, etcd, secureEtcd, [port = 0]] = await Promise.all([
    programsOf('README.md'),
    startEtcd({ own: true }),
    startEtcd({ own: true, auth: true, tls: { clientCertAuth: true } }),
    freePorts(1),
  ]);
  const { caFile, clientCertFile, clientKeyFile } = secureEtcd.tls!;
  const here = { [ENDPOINT]: etcd.endpoint };
  await programs.compile({
    smallest: { ...here, '3000': String(port) },
    client: here,
    watches: here,
    leases: here,
    coordination: here,
    views: here,
    endpoints: here,
    administration: here,
    configured: here,
    filtered: here,
    handled: here,
    coordinated: here,
    scoped: here,
    healthy: here,
    measured: here,
    intercepted: here,
    secure: {
      'https://etcd-1.example:2379': secureEtcd.endpoint,
      '/etc/etcd/ca.pem': caFile,
      '/etc/etcd/client.pem': clientCertFile,
      '/etc/etcd/client-key.pem': clientKeyFile,
    },
  });
}, 120_000);

afterAll(() => Promise.all([etcd.stop(), secureEtcd.stop()]));

/** Runs a program to its own end. @returns the lines it printed */
async function run(name: string, env: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const child = await startChild(process.execPath, [programs.file(name)], { env });
  const { code } = await child.exited();
  if (code !== 0) throw new Error(`${name} ended with exit code ${String(code)}:\n${child.output}`);
  return child.output.trimEnd().split('\n');
}

/** Starts a program that listens, or boots the module that it exports. It is told to end, and has to. */
async function serving(args: readonly string[], use: (url: string) => Promise<void>): Promise<void> {
  const env = { ETCD_ENDPOINTS: etcd.endpoint, NO_COLOR: '1' };
  const child: Child = await startChild(process.execPath, args, { env });
  const url = `http://127.0.0.1:${port}`;
  try {
    await listening(child, url);
    await use(url);
  } finally {
    const { signal } = await child.stop();
    expect(signal).toBe('SIGTERM');
  }
}

function servingModule(name: string, use: (url: string) => Promise<void>): Promise<void> {
  return serving([programs.bootFile, programs.file(name), String(port)], use);
}

async function json(url: string, init?: RequestInit): Promise<unknown> {
  return (await fetch(url, init)).json();
}

describe('the programs in the README', () => {
  it('are all known to this test, and no TypeScript stands outside of them', () => {
    expect([...programs.names].sort()).toEqual([...TESTED].sort());
    expect(programs.strays).toEqual([]);
  });

  it.each([
    'client',
    'watches',
    'leases',
    'coordination',
    'views',
    'endpoints',
    'administration',
    'errors',
    'intercepted',
  ])('%s prints what its comments say', async (name) => {
    const printed = programs.printed(name);

    expect(printed.length).toBeGreaterThan(0);
    expect(await run(name)).toEqual(printed);
  });

  it('secure connects with certificates and a password', async () => {
    const { password } = secureEtcd.auth.root!;

    expect(await run('secure', { ETCD_PASSWORD: password })).toEqual(programs.printed('secure'));
  });

  it('smallest keeps a greeting, and ends on SIGTERM', async () => {
    await serving([programs.file('smallest')], async (url) => {
      const headers = { 'content-type': 'application/json' };
      await fetch(`${url}/greeting`, { method: 'PUT', headers, body: '{"text":"hello"}' });

      expect(await json(`${url}/greeting`)).toMatchObject({ key: 'greeting', value: 'hello' });
    });
  });

  it('configured writes by both clients', async () => {
    await servingModule('configured', async (url) => {
      const revisions = (await json(`${url}/order`)) as { order: number; audit: number };

      expect(revisions).toEqual({ order: expect.any(Number), audit: revisions.order + 1 });
    });
  });

  it('filtered answers bad input with 400', async () => {
    await servingModule('filtered', async (url) => {
      expect(await json(`${url}/history?revision=x`)).toMatchObject({
        statusCode: 400,
        code: 'ETCD_INVALID_ARGUMENT',
      });
    });
  });

  it('handled knows the features that there were before, and those that come and go', async () => {
    await etcd.gateway.put('features/before', 'on');
    await servingModule('handled', async (url) => {
      const featuresAre = (features: readonly string[]): Promise<unknown> =>
        eventually(async () => JSON.stringify(await json(`${url}/features`)) === JSON.stringify(features), {
          what: features.join(),
        });
      await featuresAre(['features/before']);
      await etcd.gateway.put('features/new', 'on');
      await featuresAre(['features/before', 'features/new']);
      await etcd.gateway.delete('features/before');
      await featuresAre(['features/new']);
    });
  });

  it('coordinated loses no deposit, and leads its election', async () => {
    await servingModule('coordinated', async (url) => {
      const deposits = Array.from({ length: 5 }, () => json(`${url}/accounts/7/deposits`, { method: 'POST' }));
      const balances = (await Promise.all(deposits)) as { balance: number }[];
      expect(balances.map(({ balance }) => balance).sort((a, b) => a - b)).toEqual([10, 20, 30, 40, 50]);

      await eventually(() => etcd.gateway.get('reports/last'), { what: 'a report of the leader', timeoutMs: 10_000 });
      expect(await json(`${url}/leader`)).toEqual({ isLeader: true, leader: 'web-1' });
    });
  });

  it('scoped works below its prefix', async () => {
    await servingModule('scoped', async (url) => {
      expect(await json(`${url}/orders/7`, { method: 'POST' })).toEqual(['orders/7', 'shop/orders/7']);
    });
  });

  it('healthy reports version, leader and database size', async () => {
    await servingModule('healthy', async (url) => {
      const details = { status: 'up', version: etcd.version, leader: expect.any(String), dbSize: expect.any(Number) };

      expect(await json(`${url}/health`)).toMatchObject({ status: 'ok', details: { etcd: details } });
    });
  });

  it('measured serves the counters of its calls', async () => {
    await servingModule('measured', async (url) => {
      const metrics = await (await fetch(`${url}/metrics`)).text();

      expect(metrics).toMatch(/^grpc_client_handled_total\{.*grpc_method="Range".*\} \d+$/m);
    });
  });
});

describe('the documents', () => {
  it('link to files and headings that exist', async () => {
    const files = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...(await pages()), ...(await decisions())];
    const broken = (await Promise.all(files.map(brokenLinks))).flat();

    expect(broken).toEqual([]);
  });

  it('list every decision in the index, under its own title', async () => {
    const index = await read('docs/adr/README.md');

    for (const file of (await decisions()).filter((each) => !each.endsWith('README.md'))) {
      const [, number = '', title = ''] = /^# (\d{4}) (.+)$/m.exec(await read(file)) ?? [];
      const row = index.split('\n').find((line) => line.includes(`[${number}](${file.split('/').at(-1)!})`));
      expect(row).toContain(`| ${title} `);
    }
  });
});

function read(file: string): Promise<string> {
  return readFile(join(ROOT_FOLDER, file), 'utf8');
}

async function pages(): Promise<string[]> {
  const names = await readdir(join(ROOT_FOLDER, 'docs'));
  return names.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
}

async function decisions(): Promise<string[]> {
  return (await readdir(join(ROOT_FOLDER, 'docs/adr'))).map((name) => `docs/adr/${name}`);
}

async function brokenLinks(file: string): Promise<string[]> {
  const text = await read(file);
  const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = '']) => link);
  const broken = await Promise.all(links.map(async (link) => ((await leadsSomewhere(file, text, link)) ? [] : [link])));
  return broken.flat().map((link) => `${file}: ${link}`);
}

async function leadsSomewhere(file: string, text: string, link: string): Promise<boolean> {
  const [path = '', heading] = link.split('#');
  const target = join(dirname(file), path);
  if (path !== '' && !existsSync(join(ROOT_FOLDER, target))) return false;
  return heading === undefined || anchorsOf(path === '' ? text : await read(target)).includes(heading);
}

/** The anchors that hosts of Markdown make of headings. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
