/** `/keys`: edits, each of which holds only if nobody has changed the key since the person saw it. */
import { Body, ConflictException, Controller, Delete, Param, Put, Query } from '@nestjs/common';
import { type CasResult, EtcdClient, type EtcdKv } from 'nest-etcd';
import { PREFIX } from '../prefix.js';
import { DeleteQuery, Key, PutBody } from './keys.schemas.js';

@Controller('keys')
export class KeysController {
  private readonly kv: EtcdKv;

  constructor(etcd: EtcdClient) {
    this.kv = etcd.namespace(PREFIX).kv;
  }

  @Put(':key')
  async put(
    @Param('key', { schema: Key }) key: string,
    @Body({ schema: PutBody }) { value, revision }: PutBody,
  ): Promise<{ revision: number }> {
    const result =
      revision === null ? await this.kv.create(key, value) : await this.kv.update(key, value, { revision });
    return revisionOf(key, result);
  }

  @Delete(':key')
  async delete(
    @Param('key', { schema: Key }) key: string,
    @Query({ schema: DeleteQuery }) { revision }: DeleteQuery,
  ): Promise<{ revision: number }> {
    return revisionOf(key, await this.kv.deleteIfUnchanged(key, { revision }));
  }
}

/** @throws {ConflictException} when somebody else was quicker. */
function revisionOf(key: string, { succeeded, header }: CasResult): { revision: number } {
  if (!succeeded) throw new ConflictException(`somebody else has changed ${key} meanwhile`);
  return { revision: header.revision };
}
