/** Campaigns in the elections that an app's decorators name, for as long as the app serves. */
import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { loggerOf } from '../client-log.js';
import { EtcdClientRegistry } from '../etcd-client-registry.js';
import type { EtcdScope } from '../etcd-scope.js';
import { serviceToken } from '../etcd.tokens.js';
import { EtcdHandlerExplorer, type FoundMethod, type Wanted } from '../handlers/handler.explorer.js';
import { scopeFor } from '../handlers/scope-for.js';
import { injectedService, setService } from '../injected-service.js';
import { CampaignTable } from './campaign-table.js';
import { Campaign, type LeadershipListener } from './campaign.js';
import { LEADER_ONLY, ON_ACQUIRED, ON_LOST, type LeadershipNote } from './leadership-metadata.js';

/** Each decorator, and what its methods are told of. */
const DECORATORS: readonly (Wanted & { readonly event: LeadershipListener['event'] | undefined })[] = [
  { decorator: '@LeaderOnly', name: LEADER_ONLY, event: undefined },
  { decorator: '@OnLeadershipAcquired', name: ON_ACQUIRED, event: 'acquired' },
  { decorator: '@OnLeadershipLost', name: ON_LOST, event: 'lost' },
];

/** What is known of the campaigns of a client, for metrics. */
export interface LeadershipCounts {
  /** Elections in which the app campaigns. */
  readonly campaigns: number;
  /** Of these, those that it leads. */
  readonly leading: number;
  /** Leaderships lost against its will. */
  readonly losses: number;
  /** Calls of methods that were told of leaderships and failed. */
  readonly failures: number;
}

/**
 * Finds the decorated methods while the app starts, so that what is wrong with one fails the start; campaigns once it has
 * started; and resigns before HTTP drains, so that another instance leads while this one ends.
 */
@Injectable()
export class EtcdCampaigns implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(EtcdHandlerExplorer) private readonly explorer: EtcdHandlerExplorer,
    @Inject(EtcdClientRegistry) private readonly clients: EtcdClientRegistry,
    @Inject(CampaignTable) private readonly table: CampaignTable,
  ) {}

  /** The campaigns of a client by name, and of its namespaces. */
  countsOf(clientName: string): LeadershipCounts {
    const counts = this.table
      .all()
      .filter((campaign) => campaign.clientName === clientName)
      .map((campaign) => campaign.counts);
    return {
      campaigns: counts.length,
      leading: counts.filter(({ isLeading }) => isLeading).length,
      losses: counts.reduce((sum, { losses }) => sum + losses, 0),
      failures: counts.reduce((sum, { failures }) => sum + failures, 0),
    };
  }

  /** @throws {EtcdModuleError} for a method that cannot work. */
  async onModuleInit(): Promise<void> {
    for (const { event, ...wanted } of DECORATORS) {
      for (const method of this.explorer.explore<LeadershipNote>(wanted)) {
        for (const note of method.notes) await this.enlist(wanted.decorator, method, note, event);
      }
    }
  }

  onApplicationBootstrap(): void {
    for (const campaign of this.table.all()) campaign.start();
  }

  /** May be called more than once. */
  async beforeApplicationShutdown(): Promise<void> {
    const timeoutOf = ({ clientName }: Campaign): number => this.clients.lifecycleOf(clientName).shutdownTimeoutMs;
    await Promise.all(this.table.all().map((campaign) => campaign.stop(timeoutOf(campaign))));
  }

  private async enlist(
    decorator: string,
    method: FoundMethod<LeadershipNote>,
    { electionName, client }: LeadershipNote,
    event: LeadershipListener['event'] | undefined,
  ): Promise<void> {
    const scope = await scopeFor(`${decorator} on ${method.label}`, method, client, this.clients);
    const campaign = this.table.getOrMake(scope.id, electionName, () => this.makeCampaign(scope, electionName));
    if (event !== undefined) campaign.tell({ event, ...method });
    else await provideElections(method, client);
  }

  private makeCampaign(scope: EtcdScope, electionName: string): Campaign {
    const { clientName, view } = scope;
    return new Campaign({
      electionName,
      clientName,
      concurrency: view.concurrency,
      settings: this.clients.lifecycleOf(clientName).campaign,
      logger: loggerOf(clientName),
    });
  }
}

/** Nest has injected them where it made the instance; where a factory did, this does. */
async function provideElections({ instance, inject }: FoundMethod<unknown>, client: string | undefined): Promise<void> {
  const wanted = { service: 'EtcdElections', client } as const;
  if (injectedService(instance, wanted) !== undefined) return;
  const elections = await inject(serviceToken('EtcdElections', client));
  if (elections !== undefined) setService(instance, wanted, elections);
}
