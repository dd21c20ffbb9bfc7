/** Methods that a decorator puts something around. */
import 'reflect-metadata';

/** Any method of a class, as decorators see it. */
export type AnyMethod = (this: object, ...args: unknown[]) => unknown;

/** A method that can have something around it which takes time. */
export type AsyncMethod = (...args: never[]) => Promise<unknown>;

/** Holds for methods whose callers reckon with `undefined`, which is what they get when the method is not run. */
export type MaySkip<Method extends AsyncMethod> =
  undefined extends Awaited<ReturnType<Method>>
    ? unknown
    : { readonly 'the method may be skipped: its promise has to allow undefined': never };

/**
 * Puts something around a method. What other decorators have left on the method goes along, so that it does not matter
 * which of them stands above the other: Nest and its modules look for it on the function that they find in the class.
 */
export function wrapMethod(descriptor: PropertyDescriptor, wrap: (method: AnyMethod) => AnyMethod): void {
  const method = descriptor.value as AnyMethod;
  const wrapped = wrap(method);
  for (const property of ['name', 'length'] as const) {
    Object.defineProperty(wrapped, property, { value: method[property], configurable: true });
  }
  for (const key of Reflect.getOwnMetadataKeys(method) as (string | symbol)[]) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), wrapped);
  }
  descriptor.value = wrapped;
}

/** `Class@method`, for logs and errors. */
export function labelOf(target: object, methodName: string | symbol): string {
  return `${target.constructor.name}@${String(methodName)}`;
}
