/** The gRPC code's name for whatever a call ends with. */
import { describe, expect, it } from '@jest/globals';
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdDeadlineExceededError,
  EtcdInvalidArgumentError,
  EtcdMessageTooLargeError,
  EtcdNoLeaderError,
  EtcdProtocolError,
  EtcdServerError,
  EtcdUnavailableError,
  EtcdUnsupportedError,
} from '../../../lib/client/index.js';
import { grpcCodeOf } from '../../../lib/metrics/grpc-code.js';

const facts = { reason: 'NoLeader', serverMessage: 'etcdserver: no leader' };

describe('the code of a call', () => {
  it.each([
    ['OK', undefined],
    ['Canceled', new EtcdAbortedError()],
    ['Canceled', new EtcdClosedError()],
    ['DeadlineExceeded', new EtcdDeadlineExceededError(5, 'the answer')],
    ['Unavailable', new EtcdUnavailableError('no endpoint')],
    ['Internal', new EtcdProtocolError('3 bytes are no answer')],
    ['Unimplemented', new EtcdUnsupportedError('KV.RangeStream', '3.7')],
    ['ResourceExhausted', new EtcdMessageTooLargeError('request', 1, 'too much')],
    ['InvalidArgument', new EtcdInvalidArgumentError('key', 'must not be empty')],
    ['Unknown', new Error('an interceptor failed')],
    ['Unknown', 'not even an error'],
    ['Unknown', null],
  ])('is %s', (code, error) => {
    expect(grpcCodeOf(error)).toBe(code);
  });

  it("is the server's own where there was an answer", () => {
    expect(grpcCodeOf(new EtcdNoLeaderError(facts, { grpcCode: 14 }))).toBe('Unavailable');
    expect(grpcCodeOf(new EtcdServerError(facts, { grpcCode: 15 }))).toBe('DataLoss');
    expect(grpcCodeOf(new EtcdServerError(facts, { grpcCode: 99 }))).toBe('Unknown');
  });
});
