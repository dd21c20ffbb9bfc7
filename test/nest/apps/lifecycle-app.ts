/**
 * An app that a test starts as a process of its own: `ETCD` names the endpoint, `CONNECT` how to connect, `PORT` where to listen.
 * It prints `listening`, what its hooks see, and `failed to start: …`.
 */
import { Controller, Get, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdClient, EtcdKv, EtcdModule } from '../../../lib/nest/index.js';

const { ETCD = '', CONNECT = 'lazy', PORT = '0', START_TIMEOUT_MS = '5000' } = process.env;

@Controller()
class SlowController implements OnApplicationShutdown {
  constructor(
    @Inject(EtcdKv) private readonly kv: EtcdKv,
    @Inject(EtcdClient) private readonly etcd: EtcdClient,
  ) {}

  /** Uses etcd 1.5 seconds after it was asked for. */
  @Get('slow')
  async slow(): Promise<{ value: string | undefined; state: string }> {
    process.stdout.write('in flight\n');
    await delay(1_500);
    const kv = await this.kv.get('slow');
    return { value: kv?.value, state: this.etcd.state };
  }

  onApplicationShutdown(): void {
    process.stdout.write(`drained, etcd is ${this.etcd.state}\n`);
  }
}

@Module({
  imports: [
    EtcdModule.forRoot({
      endpoints: ETCD.split(','),
      connect: CONNECT as 'lazy' | 'eager',
      startTimeoutMs: Number(START_TIMEOUT_MS),
    }),
  ],
  controllers: [SlowController],
})
class AppModule {}

async function start(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['log', 'warn', 'error'] });
  app.enableShutdownHooks([], { useProcessExit: false });
  process.stdout.write('starting\n');
  await app.listen(Number(PORT), '127.0.0.1');
  process.stdout.write(`listening on ${await app.getUrl()}\n`);
}

start().catch((error: unknown) => {
  process.stderr.write(`failed to start: ${String(error)}\n`);
  process.exitCode = 1;
});
