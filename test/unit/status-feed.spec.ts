/** The feed of events: every reader gets every event from when it begins to read, in order, and none holds up the client. */
import { describe, expect, it } from '@jest/globals';
import { StatusFeed, type EtcdClientEvent } from '../../lib/client/rpc/status-feed.js';

/** An event that can be told from others. */
function numbered(number: number): EtcdClientEvent {
  return { type: 'endpoints', endpoints: [String(number)] };
}

function numberOf(event: EtcdClientEvent | undefined): number {
  return event?.type === 'endpoints' ? Number(event.endpoints[0]) : Number.NaN;
}

async function drain(events: AsyncIterable<EtcdClientEvent>): Promise<number[]> {
  const numbers: number[] = [];
  for await (const event of events) numbers.push(numberOf(event));
  return numbers;
}

describe('StatusFeed', () => {
  it('gives each reader every event since it began, in order', async () => {
    const feed = new StatusFeed();
    feed.publish(numbered(0));
    const early = feed.read();
    feed.publish(numbered(1));
    const late = feed.read();
    feed.publish(numbered(2));
    feed.close();

    expect(await drain(early)).toEqual([1, 2]);
    expect(await drain(late)).toEqual([2]);
  });

  it('wakes a reader that waits', async () => {
    const feed = new StatusFeed();
    const events = feed.read();
    const waiting = events.next();

    feed.publish(numbered(7));

    expect(numberOf((await waiting).value)).toBe(7);
  });

  it('answers each of several who wait on one reader, in their order', async () => {
    const feed = new StatusFeed();
    const events = feed.read();
    const waiting = [events.next(), events.next(), events.next()];

    feed.publish(numbered(1));
    feed.publish(numbered(2));
    feed.close();

    const [first, second, third] = await Promise.all(waiting);
    expect([numberOf(first?.value), numberOf(second?.value)]).toEqual([1, 2]);
    expect(third).toEqual({ done: true, value: undefined });
  });

  it('drops the oldest events of a reader that falls 1,000 behind', async () => {
    const feed = new StatusFeed();
    const events = feed.read();

    for (let number = 0; number < 1_500; number++) feed.publish(numbered(number));
    feed.close();

    const numbers = await drain(events);
    expect(numbers).toHaveLength(1_000);
    expect([numbers[0], numbers.at(-1)]).toEqual([500, 1_499]);
  });

  it('ends a reader that waits when the client closes, and one that begins after', async () => {
    const feed = new StatusFeed();
    const waiting = feed.read().next();

    feed.close();

    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await drain(feed.read())).toEqual([]);
  });

  it('forgets a reader whose loop is left', async () => {
    const feed = new StatusFeed();
    const events = feed.read();
    feed.publish(numbered(1));
    feed.publish(numbered(2));

    for await (const event of events) {
      expect(numberOf(event)).toBe(1);
      break;
    }
    feed.publish(numbered(3));

    expect(await drain(events)).toEqual([]);
  });

  it('gives what was unread when the client closed, then ends', async () => {
    const feed = new StatusFeed();
    const events = feed.read();
    feed.publish(numbered(1));
    feed.close();
    feed.publish(numbered(2));

    expect(await drain(events)).toEqual([1]);
  });
});
