/** Versions of etcd: read from what programs print, compared, and matched with what was asked for. */

const RELEASE = /^\d+\.\d+\.\d+$/;

/** Whether `text` names exactly one release, such as `3.5.30`. */
export const isRelease = (text: string): boolean => RELEASE.test(text);

/** @returns the version in the output of `etcd --version`; `undefined` when there is none. */
export function versionFromOutput(output: string): string | undefined {
  return /etcd Version:\s*(\d+\.\d+\.\d+\S*)/i.exec(output)?.[1];
}

/** `3.5.16+dfsg-4` and `1:3.4.23-4+b4` are Debian's names for 3.5.16 and 3.4.23. */
export function upstreamVersion(debianVersion: string): string {
  return debianVersion.replace(/^\d+:/, '').replace(/[-+~].*$/, '');
}

/**
 * Whether `version` is what was asked for.
 *
 * @param wanted a release (`3.5.30`), a line of releases (`3.5`, `3`), or `undefined` and `latest` for any.
 */
export function matches(version: string, wanted: string | undefined): boolean {
  if (wanted === undefined || wanted === 'latest') return true;
  return version === wanted || version.startsWith(`${wanted}.`);
}

/** Orders versions from old to new. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  const index = left.findIndex((part, i) => part !== right[i]);
  return index === -1 ? 0 : (left[index] ?? 0) - (right[index] ?? 0);
}

/** @returns the newest release among `versions` that fits; `undefined` when none does. */
export function newestMatch(versions: readonly string[], wanted: string | undefined): string | undefined {
  return versions
    .filter((version) => isRelease(version) && matches(version, wanted))
    .sort(compareVersions)
    .at(-1);
}

function numbersOf(version: string): number[] {
  return version.split(/[.+-]/, 3).map((part) => Number.parseInt(part, 10));
}
