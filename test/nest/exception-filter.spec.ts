/** Errors of the client as HTTP answers, on Express and Fastify. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  NotFoundException,
  Param,
  Res,
  type ArgumentsHost,
  type INestApplication,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { lastValueFrom, type Observable } from 'rxjs';
import {
  EtcdExceptionFilter,
  EtcdInvalidArgumentError,
  EtcdPermissionDeniedError,
  EtcdUnavailableError,
} from '../../lib/nest/index.js';
import { PLATFORMS, startHttp } from './support/apps.js';
import type { CapturedLog } from './support/captured-log.js';

const unavailable = new EtcdUnavailableError(
  'no endpoint can be used: http://10.0.0.7:2379: connect ECONNREFUSED',
  [{ endpoint: 'http://10.0.0.7:2379', reason: 'connect ECONNREFUSED' }],
  { method: 'KV.Put', outcome: 'not-applied' },
);
const denied = new EtcdPermissionDeniedError({
  reason: 'PermissionDenied',
  serverMessage: 'etcdserver: permission denied',
});

const ERRORS: Readonly<Record<string, Error>> = {
  empty: new EtcdInvalidArgumentError('key', 'must not be empty', ''),
  unavailable,
  denied,
  missing: new NotFoundException('no such order'),
  bug: new TypeError('x is not a function'),
};

@Controller()
class FailingController {
  @Get('fail/:with')
  fail(@Param('with') what: string): never {
    throw ERRORS[what]!;
  }

  @Get('late')
  late(@Res() response: { raw?: object; end?: (text: string) => void } & object): never {
    const raw = (response.raw ?? response) as { writeHead(status: number): void; write(text: string): void };
    raw.writeHead(200);
    raw.write('begun');
    throw unavailable;
  }
}

describe.each(PLATFORMS)('EtcdExceptionFilter on %s', (platform) => {
  let app: INestApplication;
  let log: CapturedLog;
  let url: string;

  beforeEach(async () => {
    ({ app, log, url } = await startHttp(
      { controllers: [FailingController], providers: [{ provide: APP_FILTER, useClass: EtcdExceptionFilter }] },
      platform,
    ));
  });

  afterEach(async () => {
    await app.close();
  });

  async function ask(what: string): Promise<unknown> {
    const response = await fetch(`${url}/fail/${what}`);
    return { status: response.status, body: await response.json() };
  }

  it("tells the caller what is the caller's to mend, and leaves the log alone", async () => {
    expect(await ask('empty')).toEqual({
      status: 400,
      body: { statusCode: 400, code: 'ETCD_INVALID_ARGUMENT', message: 'key must not be empty' },
    });
    expect(log.of('Etcd')).toEqual([]);
  });

  it('tells the caller nothing of the inside, and the log everything', async () => {
    expect(await ask('unavailable')).toEqual({
      status: 503,
      body: { statusCode: 503, code: 'ETCD_UNAVAILABLE', message: 'the store is not available' },
    });
    expect(log.of('Etcd')).toEqual([
      expect.stringMatching(/^error: KV\.Put: .*10\.0\.0\.7:2379: connect ECONNREFUSED/),
    ]);
  });

  it("does not send the caller after rights when it is the app's user that lacks them", async () => {
    expect(await ask('denied')).toEqual({
      status: 500,
      body: { statusCode: 500, code: 'ETCD_PERMISSION_DENIED', message: 'internal server error' },
    });
  });

  it('leaves other errors to Nest', async () => {
    expect(await ask('missing')).toMatchObject({ status: 404, body: { message: 'no such order' } });
    expect(await ask('bug')).toMatchObject({ status: 500, body: { message: 'Internal server error' } });
  });

  it('ends an answer that had begun', async () => {
    const response = await fetch(`${url}/late`);

    expect(response.status).toBe(200);
    expect(await response.text()).toBe('begun');
  });
});

describe('EtcdExceptionFilter outside of HTTP', () => {
  const filter = new EtcdExceptionFilter();
  const hostOf = (type: string): ArgumentsHost => ({ getType: () => type }) as unknown as ArgumentsHost;

  it('gives a microservice a stream that fails with the error', async () => {
    const stream = filter.catch(unavailable, hostOf('rpc')) as Observable<never>;

    await expect(lastValueFrom(stream)).rejects.toBe(unavailable);
  });

  it.each(['ws', 'graphql'])('throws the error on, for %s', (type) => {
    expect(() => filter.catch(unavailable, hostOf(type))).toThrow(unavailable);
  });
});
