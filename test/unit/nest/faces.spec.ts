/** The faces of the package: `nest-etcd` has all that `nest-etcd/client` has, and no face loads what it does not need. */
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import ts from 'typescript';
import * as client from '../../../lib/client/index.js';
import * as nest from '../../../lib/nest/index.js';

/** The names that a face exports, types included, as they are written. */
function namesIn(path: string): { values: string[]; types: string[]; stars: number } {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest);
  const names = { values: [] as string[], types: [] as string[], stars: 0 };
  for (const statement of source.statements.filter(ts.isExportDeclaration)) {
    if (statement.exportClause === undefined || !ts.isNamedExports(statement.exportClause)) names.stars += 1;
    else
      for (const { name, isTypeOnly } of statement.exportClause.elements) {
        (statement.isTypeOnly || isTypeOnly ? names.types : names.values).push(name.text);
      }
  }
  return names;
}

const clientNames = namesIn('lib/client/index.ts');
const nestNames = namesIn('lib/nest/index.ts');

describe('nest-etcd', () => {
  it('exports every class, function and constant of nest-etcd/client, and they are the same', () => {
    const values = Object.entries(client);

    expect(values.filter(([name]) => !(name in nest)).map(([name]) => name)).toEqual([]);
    for (const [name, value] of values) expect((nest as Record<string, unknown>)[name]).toBe(value);
  });

  it('exports every type of nest-etcd/client', () => {
    expect(clientNames.types.filter((name) => !nestNames.types.includes(name))).toEqual([]);
  });

  it.each(['client', 'nest', 'health', 'metrics'])('names what the %s face exports, one by one', (wing) => {
    const { values, types, stars } = namesIn(`lib/${wing}/index.ts`);

    expect(stars).toBe(0);
    expect(new Set([...values, ...types]).size).toBe(values.length + types.length);
  });
});
