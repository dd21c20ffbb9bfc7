/** What the types of locks, elections and software transactions allow and refuse. Nothing here runs: that it compiles is the test. */
/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unnecessary-type-parameters -- claims about types use names as types only */
import type { EtcdClient, KeyValue, Lock, Session } from '../../lib/client/index.js';

declare const client: EtcdClient;
declare const session: Session;

/** True if both are the same type, and neither is `any`, which would be the same as everything. */
type Equals<A, B> = 0 extends 1 & A ? false : [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/** Compiles for a `true` only. */
function assertType<Claim extends true>(_claim?: Claim): void {
  // the claim is checked by the compiler
}

/* A body's result comes back as it is, whether or not it is a promise. */
export async function results(): Promise<void> {
  const number = await client.concurrency.lock('a', () => 42);
  const text = await client.concurrency.lock('a', { waitMs: 5 }, () => Promise.resolve('x'));
  const led = await client.concurrency.whileLeader('e', () => 42);
  const { result } = await client.concurrency.stm(async (tx) => tx.get('k'));
  const lock = await client.concurrency.tryAcquire('a');
  const leader = await client.concurrency.leader('e');
  assertType<Equals<typeof number, number>>();
  assertType<Equals<typeof text, string>>();
  assertType<Equals<typeof led, number | undefined>>();
  assertType<Equals<typeof result, KeyValue | undefined>>();
  assertType<Equals<typeof lock, Lock | undefined>>();
  assertType<Equals<typeof leader, KeyValue | undefined>>();
}

/* A shared session has a TTL already; a try does not wait. */
export async function contradictions(): Promise<void> {
  await client.concurrency.acquire('a', { session, waitMs: 5 });
  await client.concurrency.acquire('a', { ttlSeconds: 5 });
  // @ts-expect-error a session has a TTL of its own
  await client.concurrency.acquire('a', { session, ttlSeconds: 5 });
  // @ts-expect-error a try does not wait
  await client.concurrency.tryAcquire('a', { waitMs: 5 });
  // @ts-expect-error a double barrier needs a session
  client.concurrency.doubleBarrier('b', 2, {});
}

/* Isolation levels are names, and only these. */
export async function isolation(): Promise<void> {
  await client.concurrency.stm(() => 1, { isolation: 'repeatable-reads' });
  // @ts-expect-error there is no such level
  await client.concurrency.stm(() => 1, { isolation: 'chaos' });
}

/* A lock can be disposed of, and what it is cannot be changed. */
export async function handles(lock: Lock): Promise<void> {
  await using held = lock;
  // @ts-expect-error a token is given, not chosen
  held.fencingToken = 1;
}
