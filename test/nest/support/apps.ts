/** Starts Nest apps for tests, and ends them. */
import type {
  INestApplication,
  INestApplicationContext,
  ModuleMetadata,
  NestApplicationOptions,
  Type,
} from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { CapturedLog } from './captured-log.js';
import { freePorts } from '../../support/index.js';

/** An app, and what it logged. */
export interface Started<App> {
  readonly app: App;
  readonly log: CapturedLog;
}

/** A module with this content, for use as the root. */
export function rootModule(metadata: ModuleMetadata): Type {
  @Module(metadata)
  class RootModule {}
  return RootModule;
}

/** An app without HTTP, initialised. What fails the start rejects. */
export async function startContext(
  metadata: ModuleMetadata,
  options: Pick<NestApplicationOptions, 'moduleIdGeneratorAlgorithm'> = {},
): Promise<Started<INestApplicationContext>> {
  const log = new CapturedLog();
  const app = await NestFactory.createApplicationContext(rootModule(metadata), {
    logger: log,
    abortOnError: false,
    ...options,
  });
  return { app, log };
}

/** The two HTTP platforms of Nest. */
export type Platform = 'express' | 'fastify';
export const PLATFORMS: readonly Platform[] = ['express', 'fastify'];

/** An app that listens on a free port of 127.0.0.1. */
export async function startHttp(
  metadata: ModuleMetadata,
  platform: Platform = 'express',
): Promise<Started<INestApplication> & { readonly url: string }> {
  const log = new CapturedLog();
  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const options = { logger: log, abortOnError: false };
  const app = await NestFactory.create<NestFastifyApplication>(
    rootModule(metadata),
    adapter as FastifyAdapter,
    options,
  );
  await app.listen(0, '127.0.0.1');
  return { app, log, url: await app.getUrl() };
}

/** An endpoint at which nobody listens. */
export async function closedEndpoint(): Promise<string> {
  const [port] = await freePorts(1);
  return `http://127.0.0.1:${port}`;
}
