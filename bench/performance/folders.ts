/** Where things are. */
import { fileURLToPath } from 'node:url';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const PROJECT_FOLDER = at('../..');
export const LOAD_FOLDER = at('load');
export const GO_FOLDER = at('go');
export const COMPILED_FOLDER = at('../../.cache/bench');
export const PUBLISHED_FOLDER = at('../../docs/performance');
export const PAGE_FILE = at('../../docs/performance.md');
