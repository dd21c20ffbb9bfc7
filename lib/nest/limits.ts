/** What the client takes as a time, for what is checked before there is a client: decorators, and options of the module. */
import { MAX_DELAY_MS, MAX_TTL_SECONDS } from '../client/index.js';

export const TTL_RULE = `must be a whole number of seconds from 1 to ${MAX_TTL_SECONDS}`;

export const WAIT_RULE = `must be a number from 0 to ${MAX_DELAY_MS}, or Infinity`;

export function isTtlSeconds(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_TTL_SECONDS;
}

export function isWaitMs(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && (value <= MAX_DELAY_MS || value === Infinity);
}
