/** Options out of etcdctl's variables: each of them, what is left out, and what is refused. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { optionsFromEnvironment } from '../../lib/client/environment.js';
import { EtcdConfigError } from '../../lib/client/errors.js';
import { resolveOptions } from '../../lib/client/options.js';

/** The error that these variables cause. */
function refusal(variables: Readonly<Record<string, string>>): EtcdConfigError {
  try {
    optionsFromEnvironment(variables);
  } catch (error) {
    expect(error).toBeInstanceOf(EtcdConfigError);
    return error as EtcdConfigError;
  }
  throw new Error('nothing was refused');
}

describe('optionsFromEnvironment', () => {
  afterEach(() => {
    delete process.env['ETCDCTL_ENDPOINTS'];
  });

  it('is the local member when nothing is set, as with etcdctl', () => {
    expect(optionsFromEnvironment({})).toEqual({ endpoints: ['127.0.0.1:2379'] });
  });

  it('reads every variable', () => {
    const options = optionsFromEnvironment({
      ETCDCTL_ENDPOINTS: 'https://a:1, https://b:2',
      ETCDCTL_CACERT: '/ca.pem',
      ETCDCTL_CERT: '/cert.pem',
      ETCDCTL_KEY: '/key.pem',
      ETCDCTL_USER: 'root:se:cret',
      ETCDCTL_COMMAND_TIMEOUT: '1m30s',
      ETCDCTL_DIAL_TIMEOUT: '1500ms',
      ETCDCTL_KEEPALIVE_TIME: '10s',
      ETCDCTL_KEEPALIVE_TIMEOUT: '2.5s',
    });

    expect(options).toEqual({
      endpoints: ['https://a:1', 'https://b:2'],
      tls: { ca: '/ca.pem', cert: '/cert.pem', key: '/key.pem' },
      auth: { username: 'root', password: 'se:cret' },
      callTimeoutMs: 90_000,
      connectTimeoutMs: 1_500,
      keepAliveTimeMs: 10_000,
      keepAliveTimeoutMs: 2_500,
    });
    expect(() => resolveOptions(options)).not.toThrow();
  });

  it('reads the environment of the process unless another one is given', () => {
    process.env['ETCDCTL_ENDPOINTS'] = 'http://process:1';

    expect(optionsFromEnvironment().endpoints).toEqual(['http://process:1']);
  });

  it('takes the whole of ETCDCTL_USER for the name when the password has a variable of its own', () => {
    const { auth } = optionsFromEnvironment({ ETCDCTL_USER: 'name:with:colons', ETCDCTL_PASSWORD: 'secret' });

    expect(auth).toEqual({ username: 'name:with:colons', password: 'secret' });
  });

  it('treats a variable that is empty as one that is not set', () => {
    const variables = { ETCDCTL_ENDPOINTS: '', ETCDCTL_CACERT: ' ', ETCDCTL_USER: '', ETCDCTL_COMMAND_TIMEOUT: '' };

    expect(optionsFromEnvironment(variables)).toEqual({ endpoints: ['127.0.0.1:2379'] });
  });

  it('leaves out tls and auth when none of theirs is set, so that they can be given otherwise', () => {
    const options = optionsFromEnvironment({ ETCDCTL_ENDPOINTS: 'http://a:1' });

    expect('tls' in options).toBe(false);
    expect('auth' in options).toBe(false);
    expect(optionsFromEnvironment({ ETCDCTL_CACERT: '/ca.pem' }).tls).toEqual({ ca: '/ca.pem' });
  });

  it.each(['5', 'soon', '5 s', '-5s', '1d', 's', '5s5'])('refuses %j as a duration, and names the variable', (text) => {
    const error = refusal({ ETCDCTL_DIAL_TIMEOUT: text });

    expect(error.option).toBe('ETCDCTL_DIAL_TIMEOUT');
    expect(error.message).toContain('1m30s');
  });

  it.each(['root', ':secret'])('refuses %j as a user without a password, and repeats no secret (C5)', (user) => {
    const error = refusal({ ETCDCTL_USER: user });

    expect(error.option).toBe('ETCDCTL_USER');
    expect(inspect(error)).not.toContain('secret');
  });

  it('gives a list that can be spread beside other options', () => {
    const options = { ...optionsFromEnvironment({ ETCDCTL_ENDPOINTS: 'http://a:1' }), name: 'main' };

    expect(resolveOptions(options)).toMatchObject({ name: 'main', callTimeoutMs: 5_000 });
  });
});
