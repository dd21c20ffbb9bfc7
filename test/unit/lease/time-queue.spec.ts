/** The heap behind the schedule: always the earliest first, whatever was moved and taken out before. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TimeQueue } from '../../../lib/client/lease/time-queue.js';

function drain(queue: TimeQueue<string>): string[] {
  const items: string[] = [];
  for (let item = queue.takeFirst(); item !== undefined; item = queue.takeFirst()) items.push(item);
  return items;
}

describe('TimeQueue', () => {
  it('hands items out in the order of their times', () => {
    const queue = new TimeQueue<string>();
    queue.set('late', 30);
    queue.set('early', 10);
    queue.set('between', 20);

    expect(queue.firstAt).toBe(10);
    expect(drain(queue)).toEqual(['early', 'between', 'late']);
    expect(queue.firstAt).toBeUndefined();
  });

  it('moves an item that is put in again', () => {
    const queue = new TimeQueue<string>();
    queue.set('a', 10);
    queue.set('b', 20);

    queue.set('a', 30);

    expect(queue.size).toBe(2);
    expect(drain(queue)).toEqual(['b', 'a']);
  });

  it('agrees with a sorted list after any operations', () => {
    const operation = fc.record({
      item: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
      // Distinct for each item, so that the order is certain.
      at: fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }),
    });

    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const queue = new TimeQueue<string>();
        const model = new Map<string, number>();
        for (const { item, at } of operations) {
          if (at === undefined) {
            queue.delete(item);
            model.delete(item);
          } else {
            const distinct = at + item.charCodeAt(0) / 1_000;
            queue.set(item, distinct);
            model.set(item, distinct);
          }
        }

        const expected = [...model].sort(([, a], [, b]) => a - b).map(([item]) => item);
        expect(new Set(queue.items())).toEqual(new Set(model.keys()));
        expect(drain(queue)).toEqual(expected);
      }),
    );
  });
});
