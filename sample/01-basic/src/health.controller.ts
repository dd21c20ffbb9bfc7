/** `GET /health`: 200 while etcd serves, with what each member says of itself; 503 with the reason when it does not. */
import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { EtcdHealthIndicator } from 'nest-etcd/health';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly etcd: EtcdHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.etcd.pingCheck('etcd')]);
  }
}
