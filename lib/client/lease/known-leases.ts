/** What this client knows of leases that it granted or renewed and does not keep alive at the moment. */
import type { LeaseProof } from './kept-lease.js';

/** The newest ones are kept; who forgets a lease only has to ask the server for its TTL, so the limit costs little. */
const MAX_KNOWN = 16_384;

/** Proofs by lease ID, the newest 16,384 of them. */
export class KnownLeases {
  private readonly proofs = new Map<string, LeaseProof>();

  remember(id: string, proof: LeaseProof): void {
    this.proofs.delete(id);
    this.proofs.set(id, proof);
    if (this.proofs.size <= MAX_KNOWN) return;
    for (const oldest of this.proofs.keys()) {
      this.proofs.delete(oldest);
      return;
    }
  }

  /** Takes out what is known of a lease. */
  take(id: string): LeaseProof | undefined {
    const proof = this.proofs.get(id);
    this.proofs.delete(id);
    return proof;
  }

  clear(): void {
    this.proofs.clear();
  }
}
