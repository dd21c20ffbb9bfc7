/** Errors in words, for the log. */

/** Whatever was thrown. */
export function describeError(error: unknown): [text: string, stack: string | undefined] {
  return error instanceof Error ? [error.message, error.stack] : [String(error), undefined];
}
