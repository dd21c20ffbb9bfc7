/** The elections in which an app campaigns: one campaign for each, however many methods name it. */
import { Injectable } from '@nestjs/common';
import type { Campaign } from './campaign.js';

/** The campaigns of one app. */
@Injectable()
export class CampaignTable {
  private readonly campaigns = new Map<string, Campaign>();

  /** @param scopeId of the scope that the election's keys are in. */
  find(scopeId: string, electionName: string): Campaign | undefined {
    return this.campaigns.get(idOf(scopeId, electionName));
  }

  /** The campaign in that election; made if there is none yet. */
  getOrMake(scopeId: string, electionName: string, make: () => Campaign): Campaign {
    const id = idOf(scopeId, electionName);
    const campaign = this.campaigns.get(id) ?? make();
    this.campaigns.set(id, campaign);
    return campaign;
  }

  all(): readonly Campaign[] {
    return [...this.campaigns.values()];
  }
}

function idOf(scopeId: string, electionName: string): string {
  return `${scopeId} ${electionName}`;
}
