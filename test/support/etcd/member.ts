/** One etcd process: started, killed, frozen, resumed and restarted on the same port and data. */
import { clearTimeout, setTimeout } from 'node:timers'; // not the globals, which a test may have replaced by fakes
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { eventually } from '../eventually.js';
import { startGuarded, waitForExit, type GuardedProcess } from '../guarded-process.js';
import { ask, type CallerIdentity } from './http.js';
import { isFree } from './ports.js';

const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;

/** The port was free when it was picked, and was taken before the member could listen on it. */
export class PortTakenError extends Error {}

export interface MemberSettings {
  readonly name: string;
  readonly endpoint: string;
  readonly binary: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly identity?: CallerIdentity | undefined;
}

export class Member {
  private process: GuardedProcess | undefined;
  private frozen = false;
  private logAtStart = 0;

  constructor(private readonly settings: MemberSettings) {}

  get name(): string {
    return this.settings.name;
  }

  /** URL for clients, such as `http://127.0.0.1:23791`. */
  get endpoint(): string {
    return this.settings.endpoint;
  }

  get port(): number {
    return Number(new URL(this.endpoint).port);
  }

  /** Of the etcd process itself; `undefined` while the member is down. */
  get pid(): number | undefined {
    return this.process?.pid;
  }

  /** Whether the process runs and is not frozen. */
  get isAwake(): boolean {
    return this.process !== undefined && !this.frozen;
  }

  /** All the member has logged since it was first started. */
  get log(): string {
    const { logFile } = this.settings;
    return existsSync(logFile) ? readFileSync(logFile, 'utf8') : '';
  }

  /** @internal Starts the process; does not wait until it answers. */
  async start(): Promise<void> {
    this.logAtStart = this.log.length;
    const log = openSync(this.settings.logFile, 'a');
    try {
      const started = await startGuarded(this.settings.binary, this.settings.args, { env: cleanEnv(), output: log });
      this.process = started;
      this.frozen = false;
      void started.exited.then(() => {
        if (this.process === started) this.process = undefined;
      });
    } finally {
      closeSync(log);
    }
  }

  /** Resolves when the member says it is healthy: it serves clients and knows a leader. */
  async ready(timeoutMs = READY_TIMEOUT_MS): Promise<void> {
    const started = this.process;
    const settled = async (): Promise<boolean> => this.process !== started || (await this.isHealthy());
    await eventually(settled, { what: `${this.name} at ${this.endpoint} healthy`, timeoutMs }).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}\n${this.whatItSaid()}`, { cause: error });
      },
    );
    if (!started || this.process !== started) throw this.startFailure();
  }

  /** What the member answers on `/health`; `false` as well when it does not answer. */
  async isHealthy(): Promise<boolean> {
    const { identity } = this.settings;
    const url = `${this.endpoint}/health`;
    const answer = await ask(url, { timeoutMs: 1_000, identity }).catch(() => undefined);
    return answer?.status === 200 && /"health":\s*"?true/.test(answer.body);
  }

  /** Ends the process at once, as a crash would (SIGKILL). Resolves when it is gone. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Ends the process the ordinary way (SIGTERM): a leader hands over first. Resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.frozen) await this.resume();
    await this.end('SIGTERM');
  }

  /** Stops the process in its tracks (SIGSTOP): connections stay open, nothing is answered. */
  async freeze(): Promise<void> {
    this.signal('SIGSTOP');
    this.frozen = true;
    await eventually(() => this.isStopped(), { what: `${this.name} frozen`, everyMs: 1 });
  }

  /** Lets a frozen process go on (SIGCONT). */
  async resume(): Promise<void> {
    this.signal('SIGCONT');
    this.frozen = false;
    await eventually(() => !this.isStopped(), { what: `${this.name} resumed`, everyMs: 1 });
  }

  /**
   * Starts the member again on the same port and data; ends it first (SIGTERM) when it runs.
   *
   * @param options.waitUntilReady `false` when it cannot be healthy yet, as the first of two that make the quorum.
   */
  async restart(options: { readonly waitUntilReady?: boolean } = {}): Promise<void> {
    if (this.process) await this.stop();
    await eventually(() => isFree(this.port), { what: `port ${this.port} of ${this.name} free again` });
    await this.start();
    if (options.waitUntilReady ?? true) await this.ready();
  }

  private signal(signal: NodeJS.Signals): void {
    if (!this.process) throw new Error(`${this.name} is down: it cannot be sent ${signal}`);
    process.kill(this.process.pid, signal);
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const running = this.process;
    if (!running) return;
    this.signal(signal);
    const escalation = setTimeout(() => running.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await waitForExit(running);
    clearTimeout(escalation);
    this.process = undefined;
  }

  private isStopped(): boolean {
    return /^State:\s*T/m.test(readFileSync(`/proc/${this.pid ?? 0}/status`, 'utf8'));
  }

  private startFailure(): Error {
    const text = `${this.name} at ${this.endpoint} ended while it started:\n${this.whatItSaid()}`;
    return this.log.slice(this.logAtStart).includes('address already in use')
      ? new PortTakenError(text)
      : new Error(text);
  }

  /** The beginning says what is wrong with a flag, the end what went wrong later. */
  private whatItSaid(): string {
    const lines = this.log.slice(this.logAtStart).trim().split('\n');
    return lines.length <= 20 ? lines.join('\n') : [...lines.slice(0, 5), '…', ...lines.slice(-15)].join('\n');
  }
}

/** etcd reads every `ETCD_…` variable as a flag; those of the person who runs the tests are not meant for it. */
function cleanEnv(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD_'));
  return { ...Object.fromEntries(kept), ETCD_UNSUPPORTED_ARCH: process.env['ETCD_UNSUPPORTED_ARCH'] };
}
