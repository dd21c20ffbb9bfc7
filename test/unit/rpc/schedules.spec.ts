/** C1, C2, C3, C8 under random schedules: members refuse, hang, freeze, break and come back while calls are made. */
import { describe, expect, it } from '@jest/globals';
import { AUTHENTICATE, PUT, RANGE } from '../../../lib/client/rpc/methods.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import type { FakeMember, FakeTransportCall } from '../../support/fake-transport.js';
import { isProbe, Outcome, Rig } from './rig.js';

/** Replay a run with `TEST_SEED`; each schedule adds its number to it. */
const firstSeed = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31);
const SCHEDULES = 150;
const ACTIONS = 60;

/** mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Write {
  readonly outcome: Outcome;
  readonly isIdempotent: boolean;
}

/** One schedule: a cluster that misbehaves by chance, and what it has applied. */
class Schedule {
  readonly rig: Rig;
  readonly reads: Outcome[] = [];
  readonly writes = new Map<string, Write>();
  /** How often each value was written to the store. */
  readonly applied = new Map<string, number>();
  private readonly random: () => number;
  private readonly held: (() => void)[] = [];
  private isCalm = false;
  private token = 0;

  constructor(seed: number) {
    this.random = randomFrom(seed);
    const auth = this.random() < 0.5 ? { username: 'u', password: 'p' } : undefined;
    this.rig = new Rig({ random: this.random, ...(auth === undefined ? {} : { auth }) });
    this.rig.cluster.on(AUTHENTICATE, (call) => this.onLogin(call));
    this.rig.cluster.on(RANGE, (call) => this.onRead(call));
    this.rig.cluster.on(PUT, (call) => this.onWrite(call, auth !== undefined));
  }

  async run(): Promise<void> {
    for (let action = 0; action < ACTIONS; action++) {
      this.act();
      await this.rig.clock.advance(this.upTo(300));
    }
    await this.calm();
  }

  /** All faults are lifted: what was held comes now, and everything works. */
  private async calm(): Promise<void> {
    this.isCalm = true;
    for (const member of this.rig.cluster.all()) {
      member.onConnect = 'accept';
      member.thaw();
    }
    for (const release of this.held.splice(0)) release();
    await this.rig.clock.advance(8_000);
  }

  private act(): void {
    const member = this.oneOf(this.rig.cluster.all());
    const chance = this.random();
    if (chance < 0.3) this.write();
    else if (chance < 0.6) this.reads.push(this.rig.read(this.callOptions()));
    else if (chance < 0.68) member.freeze();
    else if (chance < 0.76) member.thaw();
    else if (chance < 0.84) member.drop(this.oneOf(['Connection dropped', 'read ECONNRESET']));
    else if (chance < 0.92) this.changeConnects(member);
    else if (chance < 0.96) this.held.shift()?.();
    else this.token += 1;
  }

  private write(): void {
    const value = `v${this.writes.size}`;
    const isIdempotent = this.random() < 0.2;
    const request = { key: Buffer.from('k'), value: Buffer.from(value) };
    const promise = this.rig.calls.unary(PUT, request, { ...this.callOptions(), idempotent: isIdempotent });
    this.writes.set(value, { outcome: new Outcome(promise), isIdempotent });
  }

  private callOptions(): { timeoutMs?: number; signal?: AbortSignal } {
    const chance = this.random();
    if (chance < 0.2) return { timeoutMs: 1 + this.upTo(900) };
    if (chance > 0.1 && chance < 0.4) {
      const controller = new AbortController();
      this.rig.clock.after(this.upTo(1_500), () => controller.abort(), 'background');
      return { signal: controller.signal };
    }
    return {};
  }

  private changeConnects(member: FakeMember): void {
    member.onConnect = this.oneOf(['accept', 'accept', 'hang', { refuses: 'connect ECONNREFUSED' }] as const);
  }

  private onLogin(call: FakeTransportCall): void {
    this.sometimes(call, () => call.answer({ token: `t${this.token}` }));
  }

  private onRead(call: FakeTransportCall): void {
    if (isProbe(call)) call.answer({});
    else this.sometimes(call, () => call.answer({}));
  }

  /** Answers, or fails in one of the ways in which nothing was applied or nobody knows. */
  private sometimes(call: FakeTransportCall, answer: () => void): void {
    const chance = this.isCalm ? 0 : this.random();
    if (chance < 0.7) answer();
    else if (chance < 0.78) call.fail('etcdserver: leader changed', GrpcCode.unavailable);
    else if (chance < 0.86) call.fail('etcdserver: no leader', GrpcCode.unavailable);
    else if (chance < 0.92) this.held.push(answer);
  }

  private onWrite(call: FakeTransportCall, isGuarded: boolean): void {
    const value = Buffer.from((call.request as { value: Uint8Array }).value).toString();
    const apply = (): void => void this.applied.set(value, (this.applied.get(value) ?? 0) + 1);
    if (isGuarded && call.headers['token'] !== `t${this.token}`) {
      call.fail('etcdserver: invalid auth token', GrpcCode.unauthenticated);
      return;
    }
    const chance = this.isCalm ? 0 : this.random();
    if (chance < 0.5) {
      apply();
      call.answer({});
    } else if (chance < 0.6) call.fail('etcdserver: no leader', GrpcCode.unavailable);
    else if (chance < 0.65) call.fail('etcdserver: permission denied', GrpcCode.permissionDenied);
    else this.goWrong(call, apply);
  }

  /** Applied or not, now or later: the client cannot know. */
  private goWrong(call: FakeTransportCall, apply: () => void): void {
    const chance = this.random();
    if (chance < 0.25) apply();
    const text = this.oneOf(['etcdserver: request timed out', 'Connection dropped', 'etcdserver: server stopped']);
    if (chance < 0.5) call.fail(text, GrpcCode.unavailable);
    else if (chance < 0.75) this.held.push(apply);
    else {
      this.held.push(() => {
        apply();
        call.answer({});
      });
    }
  }

  private upTo(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private oneOf<T>(choices: readonly T[]): T {
    return choices[this.upTo(choices.length)]!;
  }
}

/** What a schedule has shown to be false, in words. */
function lies({ applied, writes, reads }: Schedule): string[] {
  const found: string[] = [];
  for (const [value, { outcome, isIdempotent }] of writes) {
    const count = applied.get(value) ?? 0;
    if (outcome.state === 'pending') found.push(`${value} never ended`);
    if (!isIdempotent && count > 1) found.push(`${value} was applied ${count} times`);
    if (outcome.state === 'answered' && count === 0) found.push(`${value} was acknowledged and lost`);
    if (outcome.state === 'failed') {
      const claim = outcome.error.outcome;
      if (claim === undefined) found.push(`${value} failed without an outcome: ${outcome.error.message}`);
      if (claim === 'not-applied' && count > 0) found.push(`${value} is a lie: ${outcome.error.message}`);
    }
  }
  if (reads.some(({ state }) => state === 'pending')) found.push('a read never ended');
  return found;
}

describe('random schedules', () => {
  it(`never double a write, never lie about one, and end every call (seed ${firstSeed})`, async () => {
    const found: string[] = [];
    const seen = { answered: 0, notApplied: 0, unknown: 0, applied: 0 };
    for (let seed = firstSeed; seed < firstSeed + SCHEDULES; seed++) {
      const schedule = new Schedule(seed);
      await schedule.run();
      const after = [schedule.rig.read(), schedule.rig.write()];
      await schedule.rig.clock.advance(3_000);

      found.push(...lies(schedule).map((lie) => `seed ${seed}: ${lie}`));
      if (after.some(({ state }) => state !== 'answered')) found.push(`seed ${seed}: nothing works afterwards`);
      for (const { outcome } of schedule.writes.values()) {
        if (outcome.state === 'answered') seen.answered += 1;
        else if (outcome.error.outcome === 'unknown') seen.unknown += 1;
        else seen.notApplied += 1;
      }
      seen.applied += schedule.applied.size;
      await schedule.rig.leaveNothing();
    }

    expect(found).toEqual([]);
    // A run in which nothing went wrong, or nothing went well, would prove nothing.
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(SCHEDULES);
  });
});
