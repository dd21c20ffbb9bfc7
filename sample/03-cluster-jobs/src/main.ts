/** Starts one instance: HTTP on `PORT`, the page from `public/`, and a clean end on SIGTERM and Ctrl-C. */
import { fileURLToPath } from 'node:url';
import { ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { type Environment } from './environment.js';

const app = await NestFactory.create<NestExpressApplication>(AppModule);
app.useStaticAssets(fileURLToPath(new URL('../public', import.meta.url)));

// Without this line Nest runs no shutdown hook on a signal: the leader would not resign, and the others would wait for the TTL.
app.enableShutdownHooks();

await app.listen(app.get<ConfigService<Environment, true>>(ConfigService).get('PORT', { infer: true }));
