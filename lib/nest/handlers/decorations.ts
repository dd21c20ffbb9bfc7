/** What decorators leave on methods, and how it is read. */
import 'reflect-metadata';

/** Under which name a decorator leaves its notes. A string, so that two copies of this package find each other's. */
export type DecorationName = string;

export const HANDLER_ARGUMENTS = 'nest-etcd:handler-arguments';

/** As Nest keeps the parameters of handlers: the type (0 is none that Nest knows, so pipes see `custom`) and the index. */
const ONE_ARGUMENT = { '0:0': { index: 0, pipes: [] } };

/** Decorators that stand above others run after them, and come first here. */
export function addDecoration(method: object, name: DecorationName, note: object): void {
  Reflect.defineMetadata(name, [note, ...decorationsOf(method, name)], method);
}

/** Says that the method is called with one argument, for pipes to see. */
export function takesOneArgument(target: object, methodName: string | symbol): void {
  Reflect.defineMetadata(HANDLER_ARGUMENTS, ONE_ARGUMENT, target.constructor, methodName);
}

/** The notes of one kind on a method, from the top; none on what is not decorated. */
export function decorationsOf(method: object, name: DecorationName): readonly object[] {
  return (Reflect.getMetadata(name, method) as readonly object[] | undefined) ?? [];
}
