/** What work failed with, for tests that look at an error from several sides. */
import { expect } from '@jest/globals';
import { EtcdError } from '../../lib/client/errors.js';

/** @throws {Error} when it has not failed. */
export async function errorOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

/** The same where it has to be an error of the client. */
export async function failureOf(work: Promise<unknown>): Promise<EtcdError> {
  const error = await errorOf(work);
  expect(error).toBeInstanceOf(EtcdError);
  return error as EtcdError;
}
