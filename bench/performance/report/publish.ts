/** Writes results, page and plots. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PAGE_FILE, PUBLISHED_FOLDER } from '../folders.js';
import { type Results } from '../results.js';
import { formatted, renderPage } from './page.js';
import { plotsOf } from './plots.js';

export const RESULTS_FILE = 'results.json';

/** Where everything goes: published, or in a folder of its own. */
export interface Destination {
  readonly folder: string;
  readonly page: string;
}

export function destination(output: string | undefined): Destination {
  return output === undefined
    ? { folder: PUBLISHED_FOLDER, page: PAGE_FILE }
    : { folder: join(output, 'performance'), page: join(output, 'performance.md') };
}

export async function readResults({ folder }: Destination): Promise<Results> {
  return JSON.parse(await readFile(join(folder, RESULTS_FILE), 'utf8')) as Results;
}

/** The text of the page around the results is that of the published one. */
export async function publish(results: Results, { folder, page }: Destination): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, RESULTS_FILE), await formatted(JSON.stringify(results), RESULTS_FILE));
  for (const { file, svg } of plotsOf(results)) await writeFile(join(folder, file), svg);
  await writeFile(page, await renderPage(await readFile(PAGE_FILE, 'utf8'), results));
}
