/** `ready()`: resolves with the first endpoint that serves, or says of each why it does not. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { waitUntilReady } from '../../../lib/client/rpc/ready.js';
import { settle } from '../../support/fake-clock.js';
import { A, B, countingSignal, Outcome, Rig } from './rig.js';

let rig: Rig;

afterEach(() => rig.leaveNothing());

function wait(timeoutMs = 3_000, signal?: AbortSignal): Outcome {
  return new Outcome(waitUntilReady(rig.endpoints, rig.clock, timeoutMs, signal));
}

describe('waiting until a client is ready', () => {
  it('connects, and ends with the first endpoint that is up', async () => {
    rig = new Rig({ endpoints: [A, B] });
    rig.member(A).onConnect = 'hang';

    const ready = wait();
    await settle();

    expect(ready.state).toBe('answered');
    expect(rig.clock.pending('foreground')).toEqual([]);
  });

  it('ends at once when one is up already', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();

    const ready = wait();
    await settle();

    expect(ready.state).toBe('answered');
  });

  it('takes an endpoint that is set aside for none', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.endpoints.at(A).setAside('no leader');
    const ready = wait();
    await settle();
    expect(ready.state).toBe('pending');

    await rig.clock.advance(250);

    expect(ready.state).toBe('answered');
  });

  it('ends in time with the reason of each endpoint', async () => {
    rig = new Rig({ endpoints: [A, B] });
    rig.member(A).onConnect = { refuses: 'connect ECONNREFUSED' };
    rig.member(B).onConnect = 'hang';
    const ready = wait(1_000);

    await rig.clock.advance(1_000);

    expect(ready.error).toMatchObject({
      code: 'ETCD_UNAVAILABLE',
      endpoints: [
        { endpoint: A, reason: 'connect ECONNREFUSED' },
        { endpoint: B, reason: 'still connecting' },
      ],
    });
    expect(ready.error.message).toBe(
      'no endpoint can be used within 1000 ms: http://a:1: connect ECONNREFUSED; http://b:1: still connecting',
    );
  });

  it('C6: ends early when only the configuration can be at fault, after a second attempt', async () => {
    rig = new Rig({ endpoints: [A] });
    rig.member(A).onConnect = { refuses: 'certificate has expired', misconfigured: true };
    const ready = wait(60_000);
    await settle();
    expect(ready.state).toBe('pending');

    await rig.clock.advance(200);

    expect(ready.error.message).toBe(
      'no endpoint can be used as it is configured: http://a:1: certificate has expired',
    );
  });

  it('ends when its signal aborts, before or meanwhile, and keeps no listener', async () => {
    rig = new Rig({ endpoints: [A] });
    rig.member(A).onConnect = 'hang';
    const { controller, signal, listeners } = countingSignal();
    const meanwhile = wait(3_000, signal);
    await settle();

    controller.abort('enough');
    const before = wait(3_000, signal);
    await settle();

    expect(meanwhile.error).toMatchObject({ code: 'ETCD_ABORTED', cause: 'enough' });
    expect(before.error).toMatchObject({ code: 'ETCD_ABORTED' });
    expect(listeners()).toBe(0);
    expect(rig.clock.pending('foreground')).toEqual([]);
  });

  it('C8: ends when the client is closed', async () => {
    rig = new Rig({ endpoints: [A] });
    rig.member(A).onConnect = 'hang';
    const ready = wait();
    await settle();

    rig.endpoints.close();
    const later = wait();
    await settle();

    expect(ready.error.code).toBe('ETCD_CLOSED');
    expect(later.error.code).toBe('ETCD_CLOSED');
  });
});
