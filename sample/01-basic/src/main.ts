/** Starts the app: HTTP on `PORT`, and a clean end on SIGTERM and Ctrl-C. */
import { ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { type Environment } from './environment.js';

const app = await NestFactory.create<NestExpressApplication>(AppModule);

// Room for the largest value that the schemas let through, escaped as JSON. What is larger is answered with 413.
app.useBodyParser('json', { limit: '8mb' });

// Without this line Nest runs no shutdown hook on a signal: requests in flight would be cut off, and the connection to etcd dropped.
app.enableShutdownHooks();

await app.listen(app.get<ConfigService<Environment, true>>(ConfigService).get('PORT', { infer: true }));
