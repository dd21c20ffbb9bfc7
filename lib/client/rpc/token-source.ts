/** The token of a client: got when first needed, kept, and renewed once for all who wait when etcd says it is no longer good. */
import type { EtcdAuthOptions } from '../options.js';
import { EtcdAuthenticationError, EtcdAuthNotEnabledError } from '../server-errors.js';

/** Trades a user and a password for a token: the `Authenticate` RPC, without a token of its own. */
export type Authenticate = (username: string, password: string) => Promise<string>;

/** What is known of the token. */
type TokenState =
  /** None is needed, or none was asked for yet. */
  | { readonly name: 'missing' }
  /** Sent with every call. */
  | { readonly name: 'held'; readonly token: string }
  /** The cluster has authentication switched off: calls go without one until a server asks for it. */
  | { readonly name: 'not-needed' };

/** The token of a client with credentials. Clients without credentials have no token source. */
export class TokenSource {
  private state: TokenState = { name: 'missing' };
  private refreshing: Promise<void> | undefined;
  private refreshCount = 0;

  constructor(
    private readonly auth: EtcdAuthOptions,
    private readonly authenticate: Authenticate,
    private readonly onToken: (token: string | undefined) => void,
  ) {}

  /** Whether a call may be sent now; otherwise {@link refresh} first. */
  get isReady(): boolean {
    return this.state.name !== 'missing';
  }

  /** The token that calls carry now. */
  get token(): string | undefined {
    return this.state.name === 'held' ? this.state.token : undefined;
  }

  /** How often a token was got. */
  get refreshes(): number {
    return this.refreshCount;
  }

  /**
   * Gets a token in place of `stale`. All who ask at the same time share one request; who comes with a token that was
   * replaced already gets the new one at once.
   *
   * @throws {EtcdAuthenticationError} when the credentials are refused or the token provider fails.
   */
  refresh(stale: string | undefined): Promise<void> {
    if (this.isReady && this.token !== stale) return Promise.resolve();
    this.refreshing ??= this.fetch().finally(() => (this.refreshing = undefined));
    return this.refreshing;
  }

  /** A stream ended because of `stale`: the next call or stream gets a new token first. */
  invalidate(stale: string | undefined): void {
    if (this.isReady && this.token === stale) this.enter({ name: 'missing' });
  }

  private async fetch(): Promise<void> {
    this.refreshCount += 1;
    try {
      const token = 'token' in this.auth ? await provide(this.auth.token) : await this.login(this.auth);
      this.enter({ name: 'held', token });
    } catch (error) {
      this.enter(error instanceof EtcdAuthNotEnabledError ? { name: 'not-needed' } : { name: 'missing' });
      if (!(error instanceof EtcdAuthNotEnabledError)) throw error;
    }
  }

  private login({ username, password }: { readonly username: string; readonly password: string }): Promise<string> {
    return this.authenticate(username, password);
  }

  private enter(state: TokenState): void {
    this.state = state;
    this.onToken(this.token);
  }
}

async function provide(provider: () => string | Promise<string>): Promise<string> {
  let token: unknown;
  try {
    token = await provider();
  } catch (cause) {
    throw providerError('auth.token failed', cause);
  }
  if (typeof token !== 'string' || token === '') throw providerError('auth.token returned no token');
  return token;
}

function providerError(serverMessage: string, cause?: unknown): EtcdAuthenticationError {
  return new EtcdAuthenticationError({ reason: 'TokenProvider', serverMessage }, { cause, outcome: 'not-applied' });
}
