/** Which version of etcd is meant, and which of those on offer fits. */
import { describe, expect, it } from '@jest/globals';
import {
  compareVersions,
  matches,
  newestMatch,
  upstreamVersion,
  versionFromOutput,
} from '../../support/etcd/version.js';

describe('etcd versions', () => {
  it('are read from what etcd prints', () => {
    expect(versionFromOutput('etcd Version: 3.5.30\nGit SHA: none\nGo Version: go1.26.4\n')).toBe('3.5.30');
    expect(versionFromOutput('etcd Version: 3.8.0-alpha.0\n')).toBe('3.8.0-alpha.0');
    expect(versionFromOutput('command not found')).toBeUndefined();
  });

  it.each([
    ['3.4.23-4+b4', '3.4.23'],
    ['3.5.16+dfsg-1', '3.5.16'],
    ['3.5.30-2', '3.5.30'],
    ['1:3.6.0~rc1-1', '3.6.0'],
  ])('are freed of what Debian adds: %s is %s', (packaged, version) => {
    expect(upstreamVersion(packaged)).toBe(version);
  });

  it.each([
    ['3.5.30', '3.5.30', true],
    ['3.5.30', '3.5', true],
    ['3.5.30', '3', true],
    ['3.5.30', 'latest', true],
    ['3.5.30', undefined, true],
    ['3.5.30', '3.5.3', false],
    ['3.50.1', '3.5', false],
    ['3.4.23', '3.5', false],
  ])('fit or not: %s for %s is %s', (version, wanted, fits) => {
    expect(matches(version, wanted)).toBe(fits);
  });

  it('are ordered by number, not by letter', () => {
    expect(['3.10.0', '3.5.9', '3.5.30', '3.4.23'].sort(compareVersions)).toEqual([
      '3.4.23',
      '3.5.9',
      '3.5.30',
      '3.10.0',
    ]);
  });

  it('are chosen newest first, without those that are no releases yet', () => {
    const offered = ['3.4.23', '3.5.16', '3.5.30', '3.5.9', '3.8.0-alpha.0'];

    expect(newestMatch(offered, '3.5')).toBe('3.5.30');
    expect(newestMatch(offered, 'latest')).toBe('3.5.30');
    expect(newestMatch(offered, '3.8')).toBeUndefined();
  });
});
