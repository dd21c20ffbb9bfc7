/** The token of a client: got when first needed, kept, and renewed once for all who wait when etcd says it is no longer good. */
import type { Clock } from '../clock.js';
import { EtcdUnavailableError, type ErrorContext, type EtcdError } from '../errors.js';
import type { EtcdAuthOptions } from '../options.js';
import { EtcdAuthenticationError, EtcdAuthNotEnabledError } from '../server-errors.js';

/** What a token source works with. */
export interface TokenSourceParts {
  readonly auth: EtcdAuthOptions;
  /** Trades a user and a password for a token: the `Authenticate` RPC, without a token of its own. */
  readonly authenticate: (username: string, password: string) => Promise<string>;
  /** Told of each token, before any call can use it; `undefined` when calls are to carry none. */
  readonly onToken: (token: string | undefined) => void;
  readonly clock: Clock;
  /** How long a token provider has. One that never answers would otherwise stop the client for good. */
  readonly timeoutMs: number;
}

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
  readonly #parts: TokenSourceParts;
  #state: TokenState = { name: 'missing' };
  private refreshing: Promise<void> | undefined;
  private refreshCount = 0;
  private cancelTimer: (() => void) | undefined;

  constructor(parts: TokenSourceParts) {
    this.#parts = parts;
  }

  /** Whether a call may be sent now; otherwise {@link refresh} first. */
  get isReady(): boolean {
    return this.#state.name !== 'missing';
  }

  /** The token that calls carry now. */
  get token(): string | undefined {
    return this.#state.name === 'held' ? this.#state.token : undefined;
  }

  /** How often a token was asked for. */
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

  /** Ends the wait for a provider that may never answer. Who waits for a token is the client's to end first. */
  close(): void {
    this.cancelTimer?.();
  }

  private async fetch(): Promise<void> {
    this.refreshCount += 1;
    try {
      this.enter({ name: 'held', token: await this.ask() });
    } catch (error) {
      this.enter(error instanceof EtcdAuthNotEnabledError ? { name: 'not-needed' } : { name: 'missing' });
      if (!(error instanceof EtcdAuthNotEnabledError)) throw error;
    }
  }

  private ask(): Promise<string> {
    const { auth, authenticate } = this.#parts;
    return 'token' in auth ? this.provide(auth.token) : authenticate(auth.username, auth.password);
  }

  private async provide(provider: () => string | Promise<string>): Promise<string> {
    let token: unknown;
    try {
      token = await this.inTime(provider);
    } catch (cause) {
      throw providerError('auth.token failed', cause);
    }
    if (typeof token !== 'string' || token.trim() === '') throw providerError('auth.token returned no token');
    // Trimmed, since a token that is read from a file ends with a line break, which no header can carry.
    if (!/^[\x21-\x7e]+$/.test(token.trim())) throw providerError('auth.token returned what is no token');
    return token.trim();
  }

  private inTime<T>(task: () => T | Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#parts;
    return new Promise<T>((resolve, reject) => {
      const late = (): void => reject(new Error(`no token within ${timeoutMs} ms`));
      this.cancelTimer = clock.after(timeoutMs, late, 'background');
      Promise.resolve().then(task).then(resolve, reject).finally(this.cancelTimer);
    });
  }

  private enter(state: TokenState): void {
    this.#state = state;
    this.#parts.onToken(this.token);
  }
}

/** The error of a call or stream that could not get its token: the refusal itself, or that nobody could be asked. */
export function tokenError(error: unknown, context: ErrorContext): EtcdError {
  if (error instanceof EtcdAuthenticationError) return new EtcdAuthenticationError(error, { ...context, cause: error });
  const text = error instanceof Error ? error.message : String(error);
  return new EtcdUnavailableError(`no token could be had: ${text}`, [], { ...context, cause: error });
}

function providerError(serverMessage: string, cause?: unknown): EtcdAuthenticationError {
  return new EtcdAuthenticationError({ reason: 'TokenProvider', serverMessage }, { cause });
}
