/** Runs all of test/ with jest and counts what became of it; a suite that could not run, or a crash, counts as failed. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { show } from './command.js';
import { CACHE_FOLDER } from './project.js';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What this needs of jest's own report. */
interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

const REPORT_FILE = join(CACHE_FOLDER, 'jest.json');
const TIME_LIMIT_MS = 15 * 60_000;
const WORKERS = 2;

export async function runJest(): Promise<Counts> {
  await mkdir(dirname(REPORT_FILE), { recursive: true });
  await rm(REPORT_FILE, { force: true });
  const code = await show({
    command: process.execPath,
    args: [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
      `--maxWorkers=${WORKERS}`,
      '--json',
      `--outputFile=${REPORT_FILE}`,
    ],
    timeLimitMs: TIME_LIMIT_MS,
  });
  const counts = await readCounts();
  const hidesFailure = code !== 0 && counts.failed === 0;
  if (hidesFailure) console.log(`jest ended with exit code ${code} although no test failed`);
  return hidesFailure ? { ...counts, failed: 1 } : counts;
}

async function readCounts(): Promise<Counts> {
  const text = await readFile(REPORT_FILE, 'utf8').catch(() => undefined);
  if (text === undefined) {
    console.log('jest ended without a report');
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const report = JSON.parse(text) as JestReport;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}
