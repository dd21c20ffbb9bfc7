/** The Nest module in a program that has neither Terminus nor prom-client installed. */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { EtcdKv, EtcdModule } from 'nest-etcd';

const endpoints = process.env.ETCD_ENDPOINTS.split(',');
const app = await NestFactory.createApplicationContext(EtcdModule.forRoot({ endpoints }), { logger: ['error'] });
const kv = await app.get(EtcdKv).get('package/nothing');
await app.close();
console.log(JSON.stringify({ value: kv?.value ?? null }));
