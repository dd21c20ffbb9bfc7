/** A process that makes and closes 100 apps with a client that was used, and prints what is left afterwards. */
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EtcdClient, EtcdModule } from '../../../lib/nest/index.js';

const { ETCD = '' } = process.env;

@Module({ imports: [EtcdModule.forRoot({ endpoints: ETCD.split(',') })] })
class AppModule {}

async function once(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  await app.get(EtcdClient).kv.get('a');
  await app.close();
}

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 200));
}

/** What keeps a process alive: sockets and timers of ours would be here. Pipes are the standard streams. */
function resources(): string[] {
  return process.getActiveResourcesInfo().filter((name) => !name.startsWith('Pipe') && name !== 'Timeout');
}

async function heapUsed(): Promise<number> {
  await settled();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function churn(): Promise<void> {
  const baseline = resources();
  for (let i = 0; i < 20; i++) await once();
  const before = await heapUsed();
  for (let i = 0; i < 100; i++) await once();
  const after = await heapUsed();
  const result = { baseline, left: resources(), timers: timers(), grownBytes: after - before };
  process.stdout.write(`churned ${JSON.stringify(result)}\n`);
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

churn().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
