/** C2, C7: messages come out of gRPC's frames as they went in, however the bytes are cut, and cost no more memory than their size. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { framed, FrameReader, type FrameFault } from '../../../lib/client/transport/http2/grpc-frames.js';

const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31);
const MOST_BYTES = 1_024;

const messages = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 20 });
/** Where the bytes are cut, as shares of their whole length. */
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 });

interface Outcome {
  readonly messages: Buffer[];
  readonly fault: FrameFault | undefined;
  readonly isWithinMessage: boolean;
}

function readAll(chunks: readonly Buffer[]): Outcome {
  const reader = new FrameReader(MOST_BYTES);
  const found: Buffer[] = [];
  let fault: FrameFault | undefined;
  for (const chunk of chunks) fault ??= reader.read(chunk, { onFrame: (message) => found.push(message) });
  return { messages: found, fault, isWithinMessage: reader.isWithinMessage };
}

function cut(bytes: Buffer, shares: readonly number[]): Buffer[] {
  const places = shares.map((share) => Math.round(share * bytes.length)).sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

describe('FrameReader', () => {
  it(`gives out the messages that were framed, wherever the bytes are cut (seed ${seed})`, () => {
    fc.assert(
      fc.property(messages, cuts, (sent, shares) => {
        const outcome = readAll(cut(Buffer.concat(sent.map(framed)), shares));

        expect(outcome.messages.map((message) => [...message])).toEqual(sent.map((message) => [...message]));
        expect(outcome.fault).toBeUndefined();
        expect(outcome.isWithinMessage).toBe(false);
      }),
      { seed, numRuns: 500 },
    );
  });

  it(`knows when the bytes end in the middle of a message, wherever that is (seed ${seed})`, () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 100 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        cuts,
        (message, end, shares) => {
          const frame = framed(message);
          const length = 1 + Math.floor(end * (frame.length - 2));

          const outcome = readAll(cut(frame.subarray(0, length), shares));

          expect(outcome).toEqual({ messages: [], fault: undefined, isWithinMessage: true });
        },
      ),
      { seed, numRuns: 500 },
    );
  });

  it(`never throws at garbage, and gives out no message larger than allowed (seed ${seed})`, () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 }), (chunks) => {
        const outcome = readAll(chunks.map((chunk) => Buffer.from(chunk)));

        for (const message of outcome.messages) expect(message.length).toBeLessThanOrEqual(MOST_BYTES);
      }),
      { seed, numRuns: 1_000 },
    );
  });

  it('gives out a message without a single byte', () => {
    expect(readAll([framed(new Uint8Array())]).messages).toEqual([Buffer.alloc(0)]);
  });

  it('takes a message of just the size that is allowed, and none that is a byte larger (C7)', () => {
    const largest = readAll([framed(Buffer.alloc(MOST_BYTES))]);
    const larger = readAll([framed(Buffer.alloc(MOST_BYTES + 1))]);

    expect(largest.messages).toHaveLength(1);
    expect(larger).toMatchObject({ messages: [], fault: { name: 'too-large', bytes: MOST_BYTES + 1 } });
  });

  it('refuses a message that says it is compressed, and gives out those before it', () => {
    const compressed = framed(Buffer.from('b'));
    compressed[0] = 1;

    const outcome = readAll([Buffer.concat([framed(Buffer.from('a')), compressed])]);

    expect(outcome.messages.map(String)).toEqual(['a']);
    expect(outcome.fault).toEqual({ name: 'compressed' });
  });

  it('gives out small messages that do not hold on to all that was read with them (W4)', () => {
    const read = Buffer.alloc(64 * 1024);
    framed(Buffer.from('small')).copy(read);

    const [small] = readAll([read.subarray(0, 10)]).messages;

    expect(String(small)).toBe('small');
    expect(small!.buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize);
  });

  it('does not copy a message that is most of what was read', () => {
    const read = new Uint8Array(1_000);
    Buffer.from(read.buffer).set(framed(Buffer.alloc(995)));

    const [large] = readAll([Buffer.from(read.buffer)]).messages;

    expect(large!.buffer).toBe(read.buffer);
  });
});
