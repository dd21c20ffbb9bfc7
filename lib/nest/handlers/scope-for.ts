/** Which client or namespace a decorated method means. */
import { EtcdModuleError } from '../errors.js';
import type { EtcdClientRegistry } from '../etcd-client-registry.js';
import type { EtcdScope } from '../etcd-scope.js';
import { DEFAULT_CLIENT, scopeToken } from '../etcd.tokens.js';
import type { FoundMethod } from './handler.explorer.js';

/**
 * What the class of the method would get if it injected that name.
 *
 * @param what the decorator and the method, for errors.
 * @throws {EtcdModuleError} when there is nothing of that name, or the module does not see it.
 */
export async function scopeFor(
  what: string,
  method: Pick<FoundMethod<unknown>, 'inject'>,
  name: string = DEFAULT_CLIENT,
  clients: EtcdClientRegistry,
): Promise<EtcdScope> {
  const scope = await method.inject(scopeToken(name));
  if (scope !== undefined) return scope;
  throw new EtcdModuleError(`${what} cannot work: ${whyNot(name, clients)}`);
}

function whyNot(name: string, clients: EtcdClientRegistry): string {
  try {
    clients.get(name);
    return `its module does not see the etcd client "${name}", which has isGlobal: false; import the module that has it`;
  } catch (error) {
    return (error as Error).message;
  }
}
