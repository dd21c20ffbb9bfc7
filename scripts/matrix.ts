/** Runs the tests that talk to etcd against several of its releases, one after the other: `npm run test:matrix -- 3.4.23 3.5.30`. */
import { show } from './command.js';

/** Debian's three, from the oldest that is supported; with a Go toolchain the current release is worth adding by hand. */
const RELEASES = ['3.4.23', '3.5.16', '3.5.30'];
const SUITES = [
  'test/integration',
  'test/nest',
  'test/samples',
  'test/readme.spec.ts',
  'test/faults',
  'test/guarantees',
];
const TIME_LIMIT_MS = 30 * 60_000;

const asked = process.argv.slice(2);
const failed: string[] = [];
for (const release of asked.length > 0 ? asked : RELEASES) {
  console.log(`\n▶ etcd ${release}`);
  process.env['ETCD_VERSION'] = release;
  const args = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
  const code = await show({ command: process.execPath, args: [...args, ...SUITES], timeLimitMs: TIME_LIMIT_MS });
  console.log(code === 0 ? `✔ etcd ${release}` : `✘ etcd ${release}: exit code ${code}`);
  if (code !== 0) failed.push(release);
}
process.exitCode = failed.length === 0 ? 0 : 1;
