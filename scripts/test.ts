/** `npm test`: every check and every test. Goes on after a failure, and ends with one line of counts. */
import { findEtcd } from '../test/support/index.js';
import { STATIC_CHECK_COUNT, staticFailures } from './checks.js';
import { runJest, type Counts } from './jest-run.js';

/** Got here rather than in the first test that needs one: a download may take longer than a test is given. */
async function etcdIsThere(): Promise<boolean> {
  try {
    const { version, etcd } = await findEtcd({ log: (line) => console.log(line) });
    console.log(`✔ etcd ${version} (${etcd})`);
    return true;
  } catch (error) {
    console.log(`✘ ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

function report(checksFailed: readonly string[], jest: Counts): void {
  const checksPassed = STATIC_CHECK_COUNT + 1 - checksFailed.length;
  const failed = checksFailed.length + jest.failed;
  console.log(checksFailed.length === 0 ? '' : `\nChecks that failed: ${checksFailed.join(', ')}`);
  const skipped = jest.skipped === 0 ? '' : `, ${jest.skipped} skipped`;
  console.log(`${checksPassed + jest.passed} passed, ${failed} failed${skipped}`);
  process.exitCode = failed === 0 ? 0 : 1;
}

async function main(): Promise<void> {
  const failed = await staticFailures();
  if (!(await etcdIsThere())) failed.push('etcd');
  report(failed, await runJest());
}

await main();
