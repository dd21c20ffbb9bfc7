/** `/kv`: keys and values over HTTP. */
import {
  Body,
  ConflictException,
  Controller,
  Delete,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  Put,
  Query,
} from '@nestjs/common';
import { compare, EtcdKv, get, type KeyValue, keyMissing, prefix, put } from 'nest-etcd';
import { CompareAndSetBody, Key, ListQuery, PutBody } from './kv.schemas.js';

/** The answer to a write. */
interface Written {
  readonly key: string;
  /** The revision that the write made. */
  readonly modRevision: number;
}

/** The key is optional in the paths, so that a request without one is told so with 400 instead of 404. */
@Controller('kv')
export class KvController {
  constructor(private readonly kv: EtcdKv) {}

  @Get()
  async list(@Query({ schema: ListQuery }) query: ListQuery): Promise<{ kvs: readonly KeyValue[]; count: number }> {
    const { kvs, count } = await this.kv.range(prefix(query.prefix), { limit: query.limit });
    return { kvs, count };
  }

  @Get(':key')
  async get(@Param('key', { schema: Key }) key: string): Promise<KeyValue> {
    const kv = await this.kv.get(key);
    if (kv === undefined) throw new NotFoundException(`there is no key ${key}`);
    return kv;
  }

  @Put('{:key}')
  async put(
    @Param('key', { schema: Key }) key: string,
    @Body({ schema: PutBody }) { value }: PutBody,
  ): Promise<Written> {
    const { header } = await this.kv.put(key, value);
    return { key, modRevision: header.revision };
  }

  @Delete('{:key}')
  async delete(@Param('key', { schema: Key }) key: string): Promise<{ deleted: number }> {
    const { deleted } = await this.kv.delete(key);
    return { deleted };
  }

  /** One transaction: nobody can write between the comparison and the put. */
  @Post('{:key}/compare-and-set')
  @HttpCode(200)
  async compareAndSet(
    @Param('key', { schema: Key }) key: string,
    @Body({ schema: CompareAndSetBody }) { expected, value }: CompareAndSetBody,
  ): Promise<Written> {
    const result = await this.kv
      .txn()
      .if(expected === null ? keyMissing(key) : compare(key).value('=', expected))
      .then(put(key, value))
      .else(get(key))
      .commit();
    if (result.succeeded) return { key, modRevision: result.header.revision };
    const [current] = result.responses;
    throw new ConflictException({
      statusCode: 409,
      error: 'Conflict',
      message: `the value of ${key} is not the expected one`,
      current: current.kvs[0] ?? null,
    });
  }
}
