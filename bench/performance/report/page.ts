/** The results in docs/performance.md: what is between its marks is made from them, and nothing else. */
import { format, resolveConfig } from 'prettier';
import { withFigures } from '../../reliability/report.js';
import { type Results } from '../results.js';
import { plotsOf } from './plots.js';
import { barTable, caseTables, conditions, watchProfile } from './tables.js';

/** @throws {Error} when the page has lost a mark. */
export async function renderPage(page: string, results: Results): Promise<string> {
  const images = plotsOf(results).map(({ file, title }) => `![${title}](performance/${file})`);
  const sections = {
    conditions: conditions(results),
    bars: barTable(results),
    watches: watchProfile(results) ?? 'Not measured in this run.',
    plots: images.join('\n\n'),
    tables: caseTables(results),
  };
  const filled = Object.entries(sections).reduce((text, [name, figures]) => withFigures(text, name, figures), page);
  return formatted(filled, 'page.md');
}

/** As the formatter of this project leaves it. */
export async function formatted(text: string, file: string): Promise<string> {
  return format(text, { ...(await resolveConfig(import.meta.filename)), filepath: file });
}
