/** The input that the routes accept. Whatever does not fit is answered with 400 before etcd is asked. */
import { z } from 'zod';

const LONGEST_KEY = 1024;
/** Below the 1.5 MiB that etcd takes for a whole request. */
const LONGEST_VALUE = 1024 * 1024;
const LARGEST_PAGE = 1000;

/** Slashes are fine, percent-encoded in the path: `/kv/app%2Fname`. */
export const Key = z.string('a key is needed').min(1, 'must not be empty').max(LONGEST_KEY);

const Value = z.string().max(LONGEST_VALUE);

export const PutBody = z.strictObject({ value: Value });
export type PutBody = z.infer<typeof PutBody>;

export const ListQuery = z.strictObject({
  prefix: Key,
  limit: z.coerce.number().int().min(1).max(LARGEST_PAGE).default(100),
});
export type ListQuery = z.infer<typeof ListQuery>;

export const CompareAndSetBody = z.strictObject({
  /** What the value has to be now; `null` when the key must not exist. */
  expected: Value.nullable(),
  value: Value,
});
export type CompareAndSetBody = z.infer<typeof CompareAndSetBody>;
