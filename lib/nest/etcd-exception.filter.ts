/** Turns errors of the client into HTTP answers. */
import { Catch, HttpException, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { throwError } from 'rxjs';
import { EtcdError } from '../client/index.js';
import { loggerOf } from './client-log.js';
import { DEFAULT_CLIENT } from './etcd.tokens.js';
import { errorBodyOf } from './http-status.js';

/**
 * Answers HTTP requests that end in an {@link EtcdError} with `{ statusCode, code, message }`, on Express and Fastify.
 *
 * | status | errors | why |
 * |---|---|---|
 * | 400 | invalid argument or request, empty key, too many operations, duplicate key, future revision | the caller can mend it |
 * | 404 | key (of a put that needs it), lease, member, user or role not found | |
 * | 409 | `update` lost against others; a lock is in use; exists already; the cluster's state does not allow it | another try may do |
 * | 410 | compacted revision, history lost | it existed and is gone for good; Kubernetes answers the same |
 * | 413 | request too large | |
 * | 499 | aborted by the caller's signal | nobody reads the answer; the code is nginx's |
 * | 500 | permission denied, authentication failed, configuration, answer too large | the app's own credentials or code are at fault, not the caller: 401 and 403 would send the caller after rights it has |
 * | 501 | the server is too old for the call | |
 * | 502 | an answer that cannot be understood | |
 * | 503 | no endpoint, no leader, overloaded, corrupt, a lease or a lock was lost, another instance of the app leads, the app is shutting down | trying later may do |
 * | 504 | no answer in time | |
 * | 507 | the database has reached its quota | |
 *
 * From 500 on the message is a fixed text, plus whether a write may have been applied; the error itself goes to Nest's
 * log. Requests that are not HTTP get the error as it is: as an error of the stream for microservices, thrown for the rest.
 *
 * @example
 * providers: [{ provide: APP_FILTER, useClass: EtcdExceptionFilter }]
 */
@Catch(EtcdError)
export class EtcdExceptionFilter extends BaseExceptionFilter<unknown> {
  private readonly logger = loggerOf(DEFAULT_CLIENT);

  override catch(error: EtcdError, host: ArgumentsHost): unknown {
    if (host.getType() !== 'http') return passOn(error, host);
    const body = errorBodyOf(error);
    if (body.statusCode >= 500) this.logger.error(error.message, error.stack);
    super.catch(new HttpException(body, body.statusCode), host);
    return undefined;
  }
}

/** Nest's microservice server does not survive a filter that throws; it takes a stream that fails. */
function passOn(error: EtcdError, host: ArgumentsHost): unknown {
  if (host.getType() === 'rpc') return throwError(() => error);
  throw error;
}
