/** The clients of one application by name. One instance per application, so that two apps in one process do not meet. */
import { Injectable } from '@nestjs/common';
import type { EtcdClient } from '../client/index.js';
import { EtcdModuleError } from './errors.js';
import type { Lifecycle } from './etcd-module-options.js';
import { DEFAULT_CLIENT } from './etcd.tokens.js';

/** A client, and how it lives in the app. */
interface Registered {
  readonly client: EtcdClient;
  readonly lifecycle: Lifecycle;
}

/** The clients of one application. */
@Injectable()
export class EtcdClientRegistry {
  private readonly clients = new Map<string, Registered>();
  private readonly wings = new Set<string>();

  /** @throws {EtcdModuleError} when there is a client of that name already. */
  add(name: string, client: EtcdClient, lifecycle: Lifecycle): void {
    if (this.clients.has(name)) throw new EtcdModuleError(duplicateText(name));
    this.clients.set(name, { client, lifecycle });
  }

  /** @throws {EtcdModuleError} when there is none of that name. */
  get(name?: string): EtcdClient {
    return this.find(name).client;
  }

  /** @throws {EtcdModuleError} when there is none of that name. */
  lifecycleOf(name?: string): Lifecycle {
    return this.find(name).lifecycle;
  }

  all(): readonly EtcdClient[] {
    return [...this.clients.values()].map(({ client }) => client);
  }

  /**
   * For modules that make sense once in an application.
   *
   * @throws {EtcdModuleError} when `moduleName` has called it before.
   */
  claim(moduleName: string): void {
    if (this.wings.has(moduleName)) {
      throw new EtcdModuleError(`${moduleName} is registered twice; register it once, in the root module`);
    }
    this.wings.add(moduleName);
  }

  private find(name = DEFAULT_CLIENT): Registered {
    const registered = this.clients.get(name);
    if (registered !== undefined) return registered;
    const known = [...this.clients.keys()].sort().map((other) => `"${other}"`);
    throw new EtcdModuleError(
      `there is no etcd client "${name}" in this app (there is: ${known.join(', ') || 'none'}); import EtcdModule with that name`,
    );
  }
}

function duplicateText(name: string): string {
  return name === DEFAULT_CLIENT
    ? "EtcdModule is registered twice without a name; import it once, or give the second client a name: EtcdModule.forRoot({ name: '…', … })"
    : `two etcd clients are named "${name}"; give each EtcdModule.forRoot or forRootAsync a name of its own`;
}
