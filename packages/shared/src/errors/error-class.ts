import { oncePerProcess } from '../process-registry.js'
import * as poolErrors from './errors.js'
import { RemoteTraceback } from './remote-traceback.js'

/**
 * The classes that errors come back as. On the wire a class is an id: the bare name of a built-in one, `poolmq:` and the
 * name for ours, `user:` and the name for any other, so that a library's `TimeoutError` is never taken for ours.
 */

/** A class of errors. */
export type ErrorClass = abstract new (...args: never[]) => Error

/** The users' classes, whichever copy of this package they were registered with. */
const registered = oncePerProcess('error-classes', () => new Map<string, Error>())
/** The ids of all classes; those of each copy's own errors among them, which tasks may throw. */
const ids = oncePerProcess('error-ids', () => new WeakMap<object, string>())
/** Built-in classes, and this copy's own: what its errors come back as. */
const prototypes = new Map<string, Error>()

/** Classes up the prototype chain that an error names; more than anyone inherits. */
const MOST_CLASSES = 16

for (const builtIn of [
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
  AggregateError,
]) {
  add(builtIn.name, builtIn.prototype)
}
add('DOMException', DOMException.prototype)
add('poolmq:RemoteTraceback', RemoteTraceback.prototype)
for (const [name, value] of Object.entries(poolErrors)) add(`poolmq:${name}`, value.prototype)

function add(id: string, prototype: Error): void {
  prototypes.set(id, prototype)
  ids.set(prototype, id)
}

/**
 * Lets errors of these classes come back from another process as instances of them. Call it where the errors arrive,
 * best in the module that defines them. They are found by class name (of two classes of one name the later registered
 * one counts); unregistered ones come back as the nearest class that is known, `Error` at last, with their `name`.
 *
 * The constructor is not run: an error gets back its message, stack, cause and own enumerable properties, but no
 * `#private` fields.
 *
 * @example
 * ```ts
 * export class PaymentError extends Error {
 *   constructor(readonly orderId: string, readonly status: number) {
 *     super(`Order ${orderId} was refused with ${status}`)
 *   }
 * }
 * registerErrors(PaymentError)
 * ```
 */
export function registerErrors(...classes: readonly ErrorClass[]): void {
  for (const errorClass of classes) {
    const prototype: unknown = typeof errorClass === 'function' ? errorClass.prototype : undefined
    if (!(prototype instanceof Error)) {
      throw new TypeError('registerErrors takes classes that extend Error')
    }
    if (errorClass.name === '') throw new TypeError('registerErrors needs classes that have a name')
    // Built-in classes and ours are known already, whatever else bears their name.
    if (ids.get(prototype)?.startsWith('user:') === false) continue
    registered.set(`user:${errorClass.name}`, prototype)
    ids.set(prototype, `user:${errorClass.name}`)
  }
}

/** The ids of the classes of an error, its own first. */
export function classIdsOf(error: object): string[] {
  const chain: string[] = []
  let prototype: object | null = Object.getPrototypeOf(error)
  while (prototype !== null && prototype !== Error.prototype && chain.length < MOST_CLASSES) {
    const id = ids.get(prototype) ?? idOfUnknown(prototype)
    if (id !== undefined) chain.push(id)
    prototype = Object.getPrototypeOf(prototype)
  }
  return chain
}

function idOfUnknown(prototype: object): string | undefined {
  const errorClass: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  if (typeof errorClass !== 'function' || errorClass.name === '') return undefined
  // A built-in class of another realm (`node:vm`, and so Jest).
  const isNative = Function.prototype.toString.call(errorClass).endsWith('{ [native code] }')
  return isNative && prototypes.has(errorClass.name) ? errorClass.name : `user:${errorClass.name}`
}

/** A new error of the first class that is known here, without running a user's constructor. */
export function createError(classIds: readonly string[], name: string, message: string): Error {
  const known = classIds.find((id) => prototypes.has(id) || registered.has(id))
  // The name of a DOMException is in an internal slot that only its constructor sets.
  if (known === 'DOMException') return new DOMException(message, name)
  const error = new Error(message)
  const prototype = known === undefined ? undefined : (prototypes.get(known) ?? registered.get(known))
  return prototype === undefined ? error : Object.setPrototypeOf(error, prototype)
}
