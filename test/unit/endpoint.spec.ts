/** Endpoint strings of every form (clientv3.md §2.11), with our stricter rules where Go's client would guess. */
import { describe, expect, it } from '@jest/globals';
import { parseEndpoint } from '../../lib/client/endpoint.js';
import { EtcdConfigError } from '../../lib/client/errors.js';

describe('an endpoint', () => {
  it.each([
    // text, security, what to dial, :authority
    ['localhost:2379', 'as-configured', 'localhost:2379', 'localhost:2379'],
    ['10.0.0.1:2379', 'as-configured', '10.0.0.1:2379', '10.0.0.1:2379'],
    [
      'my-etcd_0.etcd.default.svc:2379',
      'as-configured',
      'my-etcd_0.etcd.default.svc:2379',
      'my-etcd_0.etcd.default.svc:2379',
    ],
    ['[::1]:2379', 'as-configured', '[::1]:2379', '[::1]:2379'],
    ['[2001:db8::a]:1', 'as-configured', '[2001:db8::a]:1', '[2001:db8::a]:1'],
    ['[fe80::1%eth0]:2379', 'as-configured', '[fe80::1%eth0]:2379', '[fe80::1%eth0]:2379'],
    ['[::ffff:10.0.0.1]:2379', 'as-configured', '[::ffff:10.0.0.1]:2379', '[::ffff:10.0.0.1]:2379'],
    ['http://localhost:8080', 'plaintext', 'localhost:8080', 'localhost:8080'],
    ['http://localhost:8080/', 'plaintext', 'localhost:8080', 'localhost:8080'],
    ['https://localhost:8080', 'tls', 'localhost:8080', 'localhost:8080'],
    ['HTTPS://Localhost:8080', 'tls', 'Localhost:8080', 'Localhost:8080'],
    ['https://[::1]:2379', 'tls', '[::1]:2379', '[::1]:2379'],
    ['unix:/tmp/abc', 'as-configured', 'unix:/tmp/abc', 'abc'],
    ['unix:///tmp/abc', 'as-configured', 'unix:/tmp/abc', 'abc'],
    ['unix:etcd.sock', 'as-configured', 'unix:etcd.sock', 'etcd.sock'],
    ['unix://etcd.sock', 'as-configured', 'unix:etcd.sock', 'etcd.sock'],
    ['unixs:/tmp/abc', 'tls', 'unix:/tmp/abc', 'abc'],
    ['unixs:///tmp/abc', 'tls', 'unix:/tmp/abc', 'abc'],
    ['UNIX:///tmp/abc', 'as-configured', 'unix:/tmp/abc', 'abc'],
    ['unix:///run/etcd@1.sock', 'as-configured', 'unix:/run/etcd@1.sock', 'etcd@1.sock'],
    ['h:1', 'as-configured', 'h:1', 'h:1'],
    ['h:65535', 'as-configured', 'h:65535', 'h:65535'],
  ])('%s is understood', (text, security, address, authority) => {
    expect(parseEndpoint(text, 'endpoints')).toEqual({ text, security, address, authority });
  });

  it('may have spaces around it', () => {
    expect(parseEndpoint('  http://a:1\n', 'endpoints').text).toBe('http://a:1');
  });

  it.each([
    ['', 'must not be empty'],
    ['   ', 'must not be empty'],
    ['localhost', 'must be host:port with a port from 1 to 65535 and no path'],
    ['127.0.0.1', 'must be host:port'],
    ['http://localhost', 'must be host:port'],
    ['https://localhost/', 'must be host:port'],
    ['::1:2379', 'must be host:port'],
    ['[::1]', 'must be host:port'],
    ['[::1%]:2379', 'must be host:port'],
    ['[]:2379', 'must be host:port'],
    [':2379', 'must be host:port'],
    ['localhost:', 'must be host:port'],
    ['localhost:abc', 'must be host:port'],
    ['localhost:0', 'must be host:port'],
    ['localhost:65536', 'must be host:port'],
    ['localhost:99999', 'must be host:port'],
    ['localhost:123456', 'must be host:port'],
    ['localhost:-1', 'must be host:port'],
    ['http://h:1/path', 'no path'],
    ['http://h:1//', 'no path'],
    ['http://h:1?x=1', 'no path'],
    ['http://h:1#x', 'no path'],
    ['a b:1', 'must be host:port'],
    ['a:1,b:1', 'must be host:port'],
    ['http://a:1,http://b:1', 'must be host:port'],
    ['a,b:1', 'must be host:port'],
    ['ftp://a:1', 'must start with http://, https://, unix:, unixs: or be host:port'],
    ['dns://a:1', 'must start with http://'],
    ['://a:1', 'must start with http://'],
    ['constructor://a:1', 'must start with http://'],
    ['__proto__://a:1', 'must start with http://'],
    ['unix:', 'must name a socket'],
    ['unix://', 'must name a socket'],
  ])('%j is refused: it %s (F7)', (text, rule) => {
    const parse = (): unknown => parseEndpoint(text, 'endpoints[3]');

    expect(parse).toThrow(EtcdConfigError);
    expect(parse).toThrow('option endpoints[3] must ');
    expect(parse).toThrow(rule);
  });

  it.each([[undefined], [null], [42], [{}], [['a:1']], [true]])('%p is refused: it is no text', (input) => {
    expect(() => parseEndpoint(input, 'endpoints')).toThrow(/^option endpoints must be a string, for example/);
  });

  it.each([
    'http://user:sesame@host:2379',
    'https://sesame@host:2379',
    'user:sesame@host:2379',
    'http://user:ses/ame@host:2379',
    'ftp://user:sesame@host',
    'unix://user:sesame@host/x',
    'http://user:sesame@',
  ])('C5: %s is refused without repeating its credentials', (text) => {
    const parse = (): unknown => parseEndpoint(text, 'endpoints');

    expect(parse).toThrow('option endpoints must not hold credentials; use the auth option instead');
    expect(parse).not.toThrow(/ses/);
  });

  it('is shown shortened when it is long', () => {
    expect(() => parseEndpoint('x'.repeat(500), 'endpoints')).toThrow(/is "x{63}…$/);
  });

  it('is read in no time, however long it is (S9)', () => {
    const startedAt = performance.now();

    for (const text of ['a'.repeat(1e6), '[:'.repeat(5e5), `unix:${'/'.repeat(1e6)}`, `h:${'1'.repeat(1e6)}`]) {
      try {
        parseEndpoint(text, 'endpoints');
      } catch {
        // Refused or not, it has to be quick.
      }
    }

    expect(performance.now() - startedAt).toBeLessThan(200);
  });
});
