/** The health indicator: asks, judges, and answers in Terminus's form, 12 and 11. */
import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import type { EtcdClient } from '../client/index.js';
import { EtcdClientRegistry } from '../nest/etcd-client-registry.js';
import { resolvePingCheck, type EtcdPingCheckOptions } from './health-options.js';
import { HealthRounds } from './health-rounds.js';
import { judge, type EtcdHealthDetails, type Verdict } from './verdict.js';

/** Says whether an etcd client of the app can be used. For readiness; an app need not be restarted because etcd is away. */
@Injectable()
export class EtcdHealthIndicator {
  private readonly rounds = new HealthRounds();

  constructor(
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
    @Inject(EtcdClientRegistry) private readonly clients: EtcdClientRegistry,
  ) {}

  /**
   * Asks every endpoint of a client for its status, at the same time.
   *
   * - `up`: all endpoints serve and no alarm is raised.
   * - `degraded`: enough of them serve, but one does not, or an alarm is raised. With Terminus 11, which has no such
   *   status, `up` with `degraded: true`.
   * - `down`: too few serve, or the linearizable read failed; `message` has the reason of each.
   *
   * A member that refuses to tell for lack of permission is alive; only its details are missing. Who asks while a check
   * runs, or within `cacheMs` after it, gets the same answer, so that probes are no load.
   *
   * @returns within `timeoutMs`; the details are {@link EtcdHealthDetails}: `version`, `leader`, `dbSize`, `alarms`,
   *   `serving`, `endpoints`, and `message` when something is wrong. No key, user, password or token.
   * @throws {EtcdModuleError} when the app has no client of that name.
   * @throws {EtcdInvalidArgumentError} when an option is out of range.
   *
   * @example
   * @Get('health') @HealthCheck()
   * check() {
   *   return this.health.check([() => this.etcd.pingCheck('etcd', { require: 'any' })]);
   * }
   */
  async pingCheck<const Key extends string>(
    key: Key,
    options: EtcdPingCheckOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const check = resolvePingCheck(options);
    const round = await this.rounds.get(this.clientOf(options), check);
    return answer(this.indicators.check(key), judge(round, check.require));
  }

  private clientOf({ client }: EtcdPingCheckOptions): EtcdClient {
    return typeof client === 'object' ? client : this.clients.get(client);
  }
}

/** What the sessions of Terminus 11 and 12 have in common; `degraded` came with 12. */
interface Session<Key extends string> {
  up(details: EtcdHealthDetails): HealthIndicatorResult<Key>;
  down(details: EtcdHealthDetails): HealthIndicatorResult<Key>;
  degraded?(details: EtcdHealthDetails): HealthIndicatorResult<Key>;
}

function answer<Key extends string>(session: Session<Key>, { status, details }: Verdict): HealthIndicatorResult<Key> {
  if (status !== 'degraded') return session[status](details);
  return session.degraded?.(details) ?? session.up({ ...details, degraded: true });
}
