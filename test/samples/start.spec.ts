/** `npm start`, `npm run start:live` and `npm run start:cluster` as a user types them: they serve with an etcd of their own, and Ctrl-C ends all of it. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { builtSample, ROOT_FOLDER } from '../support/built.js';
import { isFree } from '../support/etcd/ports.js';
import { eventually, freePorts, startChild, type Child } from '../support/index.js';

/** The first of so many free ports, one after the other. */
async function freePortOf(count: number): Promise<number> {
  const run = async (): Promise<number | undefined> => {
    const [first = 0] = await freePorts(1);
    const areFree = await Promise.all(Array.from({ length: count }, (_, index) => isFree(first + index)));
    return areFree.every(Boolean) ? first : undefined;
  };
  return eventually(run, { what: `${count} free ports in a row` });
}

/** One for each instance of each sample; picked together, since the scripts run at the same time. */
const firstPort = await freePortOf(5);

/** What a terminal does on Ctrl-C: npm, the shell below it and the script hear of it, each for itself. */
function pressCtrlC({ pid }: Child): void {
  process.kill(-pid, 'SIGINT');
}

/** How many programs on this machine were started with this text in their arguments. */
function programsWith(text: string): number {
  const argumentsOf = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return ''; // it has ended meanwhile
    }
  };
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && argumentsOf(pid).includes(text)).length;
}

describe('A script that starts a sample', () => {
  it.concurrent.each([
    ['start', { folder: '01-basic', port: firstPort, instances: 1, path: '/health' }],
    ['start:live', { folder: '02-live', port: firstPort + 1, instances: 1, path: '/' }],
    ['start:cluster', { folder: '03-cluster-jobs', port: firstPort + 2, instances: 3, path: '/cluster' }],
  ])(
    'npm run %s serves, says what to try, and leaves nothing running after Ctrl-C',
    async (name, { folder, port, instances, path }) => {
      builtSample(folder);
      const urls = Array.from({ length: instances }, (_, index) => `http://localhost:${port + index}`);
      const env = { PORT: String(port), ETCD_ENDPOINTS: undefined, NO_COLOR: '1' };
      await using script = await startChild('npm', ['run', name], { cwd: ROOT_FOLDER, env });
      await script.waitForOutput(/Ctrl-C stops all of it\./, 60_000);
      const [, etcd = ''] = await script.waitForOutput(/^etcd [\d.]+ +http:\/\/(\S+)/m);

      const answers = await Promise.all(urls.map((url) => fetch(`${url}${path}`)));
      const running = programsWith(etcd);
      pressCtrlC(script);
      const { code, signal } = await script.exited();

      expect(script.output).toContain(`sample/${folder}  ${urls.join(' ')}\n`);
      expect(answers.map(({ status }) => status)).toEqual(urls.map(() => 200));
      expect(running).toBeGreaterThan(0);
      expect([130, 'SIGINT']).toContain(code ?? signal); // which of them, npm decides
      await eventually(() => programsWith(etcd) === 0, { what: 'the end of its etcd' });
      for (const url of urls) await expect(fetch(url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    },
    90_000,
  );
});
