/** Where the project's folders and installed tools are. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT_FOLDER = dirname(dirname(fileURLToPath(import.meta.url)));

/** Emptied by `npm ci`, kept between runs otherwise. */
export const CACHE_FOLDER = join(ROOT_FOLDER, 'node_modules/.cache/nest-etcd');

/** The program of an installed development dependency. */
export function tool(name: string): string {
  return join(ROOT_FOLDER, 'node_modules/.bin', name);
}
