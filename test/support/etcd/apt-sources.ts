/** Reads which package mirrors a machine uses. Pure: text in, sources out. */

/** One archive a machine takes packages from. */
export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  /** What the machine trusts it by: paths of keyrings, or a key itself; `undefined` for the machine's default keys. */
  readonly signedBy: string | undefined;
}

/** What to ask `apt-get indextargets` for, in the order {@link parseIndexTargets} reads it. */
export const INDEX_TARGETS_FORMAT = '$(SITE)|$(RELEASE)|$(COMPONENT)';

/** Reads the lists that the machine has downloaded; empty where `apt-get update` was never run. They name no keys. */
export function parseIndexTargets(output: string): AptSource[] {
  return linesOf(output).flatMap((line) => {
    const [uri = '', suite = '', component = ''] = line.split('|');
    if (uri === '' || suite === '') return [];
    return [{ uri, suite, components: [component], signedBy: undefined }];
  });
}

/** Reads a `sources.list`: one line for each archive. */
export function parseSourcesList(text: string): AptSource[] {
  return linesOf(text).flatMap((line) => {
    const [, options = '', uri = '', suite = '', components = ''] =
      /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/.exec(line) ?? [];
    if (uri === '') return [];
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1]?.replaceAll(',', ' ');
    return [{ uri, suite, components: wordsOf(components), signedBy }];
  });
}

/** Reads a `.sources` file: one paragraph for each group of archives. */
export function parseDeb822(text: string): AptSource[] {
  return withoutComments(text)
    .split(/\n\s*\n/)
    .map(fieldsOf)
    .filter((fields) => wordsOf(fields.get('types')).includes('deb') && fields.get('enabled')?.trim() !== 'no')
    .flatMap((fields) =>
      wordsOf(fields.get('uris')).flatMap((uri) =>
        wordsOf(fields.get('suites')).map((suite) => ({
          uri,
          suite,
          components: wordsOf(fields.get('components')),
          signedBy: fields.get('signed-by')?.trim(),
        })),
      ),
    );
}

/** @returns the sources with the keys that the machine's files give for the same archive. */
export function withKeys(sources: readonly AptSource[], fromFiles: readonly AptSource[]): AptSource[] {
  const keys = new Map(fromFiles.map((source) => [placeOf(source), source.signedBy]));
  return sources.map((source) => ({ ...source, signedBy: source.signedBy ?? keys.get(placeOf(source)) }));
}

/** The distribution that runs here. */
export interface Distribution {
  /** `debian`, `ubuntu` … */
  readonly id: string;
  /** `bookworm`, `noble` … */
  readonly codename: string;
}

/** Reads `/etc/os-release`. */
export function parseOsRelease(text: string): Distribution {
  const valueOf = (name: string): string => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { id: valueOf('ID'), codename: valueOf('VERSION_CODENAME') };
}

/** Suites of Debian, newest first, each with the etcd it held when this was written; the archive has the last word. */
const DEBIAN_SUITES = [
  { suite: 'sid', version: '3.5.30' },
  { suite: 'trixie', version: '3.5.16' },
  { suite: 'bookworm', version: '3.4.23' },
] as const;

/** The releases that can be expected from packages alone, newest first. */
export const PACKAGED_VERSIONS: readonly string[] = DEBIAN_SUITES.map(({ version }) => version);

const DEBIAN_ALIASES = ['oldstable', 'stable', 'testing', 'unstable', 'sid'];

/**
 * The archives to look for etcd in, in order. On Debian every suite of the machine's own mirror, those first that
 * are known for a fitting version; on its relatives the archives of the machine itself.
 */
export function candidates(
  sources: readonly AptSource[],
  distribution: Distribution,
  fits: (version: string) => boolean,
): AptSource[] {
  const own = sources.filter((source) => isMainArchive(source, distribution));
  if (distribution.id !== 'debian') return unique(own);
  const likely = DEBIAN_SUITES.filter(({ version }) => fits(version));
  const others = DEBIAN_SUITES.filter(({ version }) => !fits(version));
  return unique(
    [...likely, ...others].flatMap(({ suite }) => own.map((source) => ({ ...source, suite, components: ['main'] }))),
  );
}

/** Whether an archive is the distribution's own, and not its security updates or somebody else's packages. */
export function isMainArchive({ uri, suite, components }: AptSource, { id, codename }: Distribution): boolean {
  if (uri.startsWith('cdrom:') || uri.startsWith('file:') || /-security\b/.test(`${uri} ${suite}`)) return false;
  if (id !== 'debian') return suite === codename && components.includes('universe');
  return components.includes('main') && [codename, ...DEBIAN_ALIASES].includes(suite);
}

function unique(sources: readonly AptSource[]): AptSource[] {
  return [...new Map(sources.map((source) => [placeOf(source), source])).values()];
}

const placeOf = ({ uri, suite }: AptSource): string => `${uri.replace(/\/$/, '')} ${suite}`;

/** A field goes on over lines that begin with a space; names are case-insensitive. */
function fieldsOf(paragraph: string): Map<string, string> {
  const fields = [...paragraph.matchAll(/^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)/gm)];
  return new Map(fields.map(([, name = '', value = '']) => [name.toLowerCase(), value]));
}

const withoutComments = (text: string): string => text.replace(/^#.*\n?/gm, '');

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.replace(/\s#.*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

const wordsOf = (text = ''): string[] => text.split(/\s+/).filter((word) => word !== '');
