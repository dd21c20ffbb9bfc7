/** The input that the routes accept. Whatever does not fit is answered with 400 before etcd is asked. */
import { z } from 'zod';

const LONGEST_KEY_BYTES = 1024;
/** Below the 1.5 MiB that etcd takes for a whole request. */
const LONGEST_VALUE_BYTES = 1024 * 1024;
const LARGEST_PAGE = 1000;

/** Text as etcd counts it: in bytes, of which a character can have four. */
function text(maxBytes: number, whenMissing?: string): z.ZodString {
  return z.string(whenMissing).refine((value) => Buffer.byteLength(value) <= maxBytes, {
    error: `must not be longer than ${maxBytes} bytes`,
  });
}

/** Slashes are fine, percent-encoded in the path: `/kv/app%2Fname`. */
export const Key = text(LONGEST_KEY_BYTES, 'a key is needed').min(1, 'must not be empty');

const Value = text(LONGEST_VALUE_BYTES);

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
