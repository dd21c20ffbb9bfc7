/** C1: one signal, any number of calls, one listener. */
import { describe, expect, it } from '@jest/globals';
import { AbortListeners } from '../../../lib/client/rpc/abort-listeners.js';
import { countingSignal } from './rig.js';

describe('calls that share an abort signal', () => {
  it('hang on it by one listener, which goes with the last of them', () => {
    const { signal, listeners } = countingSignal();
    const aborts = new AbortListeners();
    const tasks = Array.from({ length: 100 }, () => (): void => undefined);

    for (const task of tasks) aborts.add(signal, task);
    expect(listeners()).toBe(1);
    for (const task of tasks.slice(1)) aborts.remove(signal, task);
    expect(listeners()).toBe(1);
    aborts.remove(signal, tasks[0]!);

    expect(listeners()).toBe(0);
  });

  it('are all told when it aborts, once', () => {
    const { controller, signal, listeners } = countingSignal();
    const aborts = new AbortListeners();
    const told: number[] = [];
    for (const number of [1, 2, 3]) aborts.add(signal, () => told.push(number));

    controller.abort();
    controller.abort();

    expect(told).toEqual([1, 2, 3]);
    expect(listeners()).toBe(0);
  });

  it('are not told once they have gone', () => {
    const controller = new AbortController();
    const aborts = new AbortListeners();
    const told: string[] = [];
    const gone = (): void => void told.push('gone');
    aborts.add(controller.signal, gone);
    aborts.add(controller.signal, () => told.push('stays'));

    aborts.remove(controller.signal, gone);
    aborts.remove(controller.signal, gone);
    controller.abort();

    expect(told).toEqual(['stays']);
  });

  it('may take themselves back while they are told', () => {
    const controller = new AbortController();
    const aborts = new AbortListeners();
    const told: string[] = [];
    const first = (): void => {
      aborts.remove(controller.signal, first);
      told.push('first');
    };
    aborts.add(controller.signal, first);
    aborts.add(controller.signal, () => told.push('second'));

    controller.abort();

    expect(told).toEqual(['first', 'second']);
  });

  it('print no warning, however many they are', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listen);
    const { signal } = new AbortController();
    const aborts = new AbortListeners();

    for (let index = 0; index < 1_000; index++) aborts.add(signal, () => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);

    expect(warnings).toEqual([]);
  });
});
