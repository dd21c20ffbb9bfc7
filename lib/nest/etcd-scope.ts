/** What the services and decorators in a module work on: a client, or a namespace of it where the module has asked for one. */
import type { EtcdClient, EtcdNamespace, Key } from '../client/index.js';
import type { Campaign } from './leadership/campaign.js';
import type { CampaignTable } from './leadership/campaign-table.js';
import type { LockBodies } from './locks/lock-bodies.js';

/** What a scope is made of. */
export interface ScopeParts {
  readonly clientName: string;
  readonly client: EtcdClient;
  /** `undefined` for the whole store. */
  readonly namespace?: EtcdNamespace | undefined;
  readonly bodies: LockBodies;
  readonly campaigns: CampaignTable;
}

/** A client as a module sees it. */
export class EtcdScope {
  constructor(private readonly parts: ScopeParts) {}

  get clientName(): string {
    return this.parts.clientName;
  }

  get client(): EtcdClient {
    return this.parts.client;
  }

  /** `undefined` when it is the whole store. */
  get namespace(): EtcdNamespace | undefined {
    return this.parts.namespace;
  }

  /** Whose services are to be used. */
  get view(): EtcdClient | EtcdNamespace {
    return this.parts.namespace ?? this.parts.client;
  }

  /** What runs under locks of the client, whatever the namespace. */
  get bodies(): LockBodies {
    return this.parts.bodies;
  }

  /** The same for all scopes that have the same keys. */
  get id(): string {
    const prefix = this.parts.namespace?.prefixBytes ?? new Uint8Array();
    return `${this.parts.clientName} ${Buffer.from(prefix).toString('hex')}`;
  }

  /** The part of it below a prefix. */
  inside(prefix: Key): EtcdScope {
    return new EtcdScope({ ...this.parts, namespace: this.view.namespace(prefix) });
  }

  /** The app's campaign in an election, if its decorators have it campaign. */
  campaign(electionName: string): Campaign | undefined {
    return this.parts.campaigns.find(this.id, electionName);
  }
}
