/** The faces of the package: what each exports is chosen name by name, and `nest-etcd` has all that `nest-etcd/client` has. */
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import * as client from '../../../lib/client/index.js';
import * as nest from '../../../lib/nest/index.js';

/** The modules of which a face exports everything. */
function starsIn(wing: string): string[] {
  const source = readFileSync(`lib/${wing}/index.ts`, 'utf8');
  return [...source.matchAll(/export \* from '(.+)'/g)].map(([, module = '']) => module);
}

describe('a face', () => {
  it.each(['client', 'health', 'metrics'])('of the %s wing names all that it exports', (wing) => {
    expect(starsIn(wing)).toEqual([]);
  });

  it("of the Nest wing names all of its own, and adds the client's as a whole", () => {
    expect(starsIn('nest')).toEqual(['../client/index.js']);
    for (const [name, value] of Object.entries(client)) expect((nest as Record<string, unknown>)[name]).toBe(value);
  });
});
