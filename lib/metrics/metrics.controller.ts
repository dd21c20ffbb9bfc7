/** The route that serves the metrics. */
import { Controller, Get, Inject, Res, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import type { MetricsRegistry } from './metrics-options.js';

/** The registry that the route serves. Provided in each `EtcdMetricsModule` for itself. */
export const METRICS_REGISTRY = 'ETCD_METRICS_REGISTRY';

/** What the responses of Express and Fastify have in common. */
interface Response {
  header(name: string, value: string): unknown;
}

/** A class of its own for each registration: its path is written on the class, and two would otherwise fight for it. */
export function metricsControllerAt(path: string): Type {
  @Controller({ path, version: VERSION_NEUTRAL })
  class EtcdMetricsController {
    constructor(@Inject(METRICS_REGISTRY) private readonly registry: MetricsRegistry) {}

    @Get()
    serve(@Res({ passthrough: true }) response: Response): Promise<string> {
      response.header('Content-Type', this.registry.contentType);
      return this.registry.metrics();
    }
  }
  return EtcdMetricsController;
}
