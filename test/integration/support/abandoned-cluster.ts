/** A program that starts etcd and never stops it: a test ends it in hard ways and looks for what stays behind. */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { startCluster } from '../../support/index.js';

async function main(): Promise<void> {
  const etcd = await startCluster();
  const pids = etcd.members.map((member) => member.pid);
  const folder = dirname(/--data-dir=([^\0]*)/.exec(readFileSync(`/proc/${pids[0]!}/cmdline`, 'utf8'))![1]!);
  await etcd.members[0]!.freeze();
  await etcd.members[1]!.kill();
  process.stdout.write(`${JSON.stringify({ pids, folder })}\n`);
  if (process.argv.includes('--return')) return;
  setInterval(() => undefined, 1000);
}

void main();
