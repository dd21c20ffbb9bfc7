/** Reading which package mirrors a machine uses, on samples of what such machines say. */
import { describe, expect, it } from '@jest/globals';
import {
  candidates,
  parseDeb822,
  parseIndexTargets,
  parseOsRelease,
  parseSourcesList,
  withKeys,
  type AptSource,
} from '../../support/etcd/apt-sources.js';

const MIRROR = 'http://mirror.test/debian';
const BOOKWORM = { id: 'debian', codename: 'bookworm' };
const source = (uri: string, suite: string, ...components: string[]): AptSource => ({
  uri,
  suite,
  components,
  signedBy: undefined,
});

describe('apt sources', () => {
  it('are read from apt-get indextargets', () => {
    const output = `${MIRROR}|bookworm|main\n${MIRROR}-security|bookworm-security|main\n`;

    expect(parseIndexTargets(output)).toEqual([
      source(MIRROR, 'bookworm', 'main'),
      source(`${MIRROR}-security`, 'bookworm-security', 'main'),
    ]);
    expect(parseIndexTargets('')).toEqual([]);
  });

  it('are read from a sources.list, with options and comments', () => {
    const text = `# a comment
deb ${MIRROR} bookworm main contrib # the rest is a comment
deb-src ${MIRROR} bookworm main
deb [arch=amd64 signed-by=/a.gpg,/b.gpg] ${MIRROR} trixie main
`;

    expect(parseSourcesList(text)).toEqual([
      source(MIRROR, 'bookworm', 'main', 'contrib'),
      { ...source(MIRROR, 'trixie', 'main'), signedBy: '/a.gpg /b.gpg' },
    ]);
  });

  it('are read from .sources files: several suites, several paragraphs, disabled ones, comments', () => {
    const text = `Types: deb deb-src
# http://snapshot.test/archive
URIs: ${MIRROR}
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.test
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.test
Suites: bookworm
Components: main
`;
    const signedBy = '/usr/share/keyrings/debian-archive-keyring.gpg';

    expect(parseDeb822(text)).toEqual([
      { ...source(MIRROR, 'bookworm', 'main'), signedBy },
      { ...source(MIRROR, 'bookworm-updates', 'main'), signedBy },
    ]);
  });

  it('keep a key that is written out in a .sources file as it is', () => {
    const key = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----';

    const [read] = parseDeb822(`Types: deb\nURIs: ${MIRROR}\nSuites: sid\nComponents: main\nSigned-By:\n ${key}\n`);

    expect(read?.signedBy).toBe(key);
  });

  it('take their keys from the files where apt does not say them', () => {
    const listed = [source(MIRROR, 'bookworm', 'main')];
    const fromFiles = [{ ...source(`${MIRROR}/`, 'bookworm', 'main'), signedBy: '/a.gpg' }];

    expect(withKeys(listed, fromFiles)).toEqual([{ ...listed[0], signedBy: '/a.gpg' }]);
  });

  it('come with the distribution they are for', () => {
    const text = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n';

    expect(parseOsRelease(text)).toEqual(BOOKWORM);
    expect(parseOsRelease('')).toEqual({ id: '', codename: '' });
  });
});

describe('archives to look for etcd in', () => {
  const own = source(MIRROR, 'bookworm', 'main');
  const suites = (archives: readonly AptSource[]): string[] => archives.map(({ suite }) => suite);

  it('are all suites of the machine’s own mirror, newest first', () => {
    const archives = candidates([own], BOOKWORM, () => true);

    expect(suites(archives)).toEqual(['sid', 'trixie', 'bookworm']);
    expect(new Set(archives.map(({ uri }) => uri))).toEqual(new Set([MIRROR]));
  });

  it('begin with the suite that is known for the version', () => {
    expect(suites(candidates([own], BOOKWORM, (version) => version === '3.4.23'))).toEqual([
      'bookworm',
      'sid',
      'trixie',
    ]);
  });

  it('leave out security updates, discs and other people’s archives, and name none twice', () => {
    const sources = [
      own,
      source(MIRROR, 'bookworm-updates', 'main'),
      source(`${MIRROR}-security`, 'bookworm-security', 'main'),
      source('cdrom:[Debian]', 'bookworm', 'main'),
      source('https://packages.test/tools', 'tools-bookworm', 'main'),
      source('https://packages.test/tools', 'bookworm', 'stable'),
      source(`${MIRROR}/`, 'stable', 'main'),
    ];

    const archives = candidates(sources, BOOKWORM, () => true);

    expect(archives.map(({ uri, suite }) => `${uri.replace(/\/$/, '')} ${suite}`)).toEqual([
      `${MIRROR} sid`,
      `${MIRROR} trixie`,
      `${MIRROR} bookworm`,
    ]);
  });

  it('are the machine’s own where it is no Debian', () => {
    const noble = source('http://mirror.test/ubuntu', 'noble', 'main', 'universe');

    const archives = candidates(
      [noble, source(noble.uri, 'noble-updates', 'main')],
      { id: 'ubuntu', codename: 'noble' },
      () => true,
    );

    expect(archives).toEqual([noble]);
  });
});
