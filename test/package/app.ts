/** A Nest app of somebody else: compiled as an ES module for Nest 12 and as CommonJS for Nest 11, out of the same source. */
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { currentLock, EtcdClient, EtcdKv, EtcdModule, InjectEtcd, WithEtcdLock } from 'nest-etcd';
import { EtcdHealthIndicator, EtcdHealthModule } from 'nest-etcd/health';
import { EtcdMetricsModule } from 'nest-etcd/metrics';

const endpoints = (process.env['ETCD_ENDPOINTS'] ?? '').split(',');
/** Nobody listens there, and only root could. */
const deadEndpoint = 'http://127.0.0.1:1';
const key = `package/${process.argv[2]}`;

@Controller()
class AppController {
  constructor(
    private readonly kv: EtcdKv,
    @InjectEtcd('second') private readonly second: EtcdClient,
    private readonly health: HealthCheckService,
    private readonly etcd: EtcdHealthIndicator,
  ) {}

  @Get('round-trip')
  async roundTrip(): Promise<{ value: string | undefined }> {
    await this.kv.put(key, 'stored');
    const kv = await this.second.kv.get(key);
    return { value: kv?.value };
  }

  @Get('health')
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.etcd.pingCheck('etcd')]);
  }

  @Get('health/of-half')
  checkHalf(): Promise<HealthCheckResult> {
    return this.health.check([() => this.etcd.pingCheck('etcd', { client: 'half', require: 'any' })]);
  }
}

@Controller()
class ScopedController {
  constructor(
    private readonly kv: EtcdKv,
    private readonly etcd: EtcdClient,
  ) {}

  @Get('scoped')
  @WithEtcdLock('lock')
  async scoped(): Promise<{ isGuarded: boolean; isBelowPrefix: boolean }> {
    const lock = currentLock();
    const { succeeded } = await this.kv.txn().if(lock.guard).then().commit();
    return { isGuarded: succeeded, isBelowPrefix: (await this.etcd.kv.get(`package/${lock.key}`)) !== undefined };
  }
}

@Module({ imports: [EtcdModule.forFeature({ namespace: 'package/' })], controllers: [ScopedController] })
class ScopedModule {}

@Module({
  imports: [
    ScopedModule,
    EtcdModule.forRoot({ endpoints }),
    EtcdModule.forRootAsync({ name: 'second', useFactory: () => ({ endpoints }) }),
    EtcdModule.forRoot({ name: 'half', endpoints: [...endpoints, deadEndpoint] }),
    EtcdHealthModule,
    EtcdMetricsModule.forRoot(),
  ],
  controllers: [AppController],
})
class AppModule {}

async function statusAndBody(url: string): Promise<[number, unknown]> {
  const answer = await fetch(url);
  return [answer.status, await answer.json()];
}

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const { value } = (await (await fetch(`${url}/round-trip`)).json()) as { value: string };
  const scoped: unknown = await (await fetch(`${url}/scoped`)).json();
  const health = await statusAndBody(`${url}/health`);
  const halfHealth = await statusAndBody(`${url}/health/of-half`);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const puts = metrics.split('\n').filter((line) => /^grpc_client_handled_total\{.*grpc_method="Put"/.test(line));
  console.log(JSON.stringify({ value, scoped, health, halfHealth, puts }));
  await app.close();
}

void main();
