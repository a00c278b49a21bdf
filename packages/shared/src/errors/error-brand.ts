/**
 * How the installed copies of this package know each other's classes of errors: each prototype bears its class's name
 * under a symbol that all of them have.
 */
const brand = Symbol.for('poolmq.error-class')

/** Marks a class of ours, and gives its prototype the name, written out, for a minifier renames classes. */
export function brandClass(name: string, prototype: Error): void {
  // On the prototype, as the built-in classes have it: no own property that clutters inspection.
  Object.defineProperty(prototype, 'name', { value: name, writable: true, configurable: true })
  Object.defineProperty(prototype, brand, { value: name })
}

/** Makes `value instanceof errorClass` true of the errors of other copies, for this class and those that extend it. */
export function acceptCopies(errorClass: object): void {
  function hasInstance(this: { readonly prototype: object }, value: unknown): boolean {
    return Function.prototype[Symbol.hasInstance].call(this, value) || isOfCopy(this.prototype, value)
  }
  Object.defineProperty(errorClass, Symbol.hasInstance, { value: hasInstance, configurable: true })
}

/** A class of a user's bears no name of ours, and has no instances but its own. */
function isOfCopy(prototype: object, value: unknown): boolean {
  const name = nameOf(prototype)
  if (name === undefined || typeof value !== 'object' || value === null) return false
  let other: object | null = Object.getPrototypeOf(value)
  while (other !== null && nameOf(other) !== name) other = Object.getPrototypeOf(other)
  return other !== null
}

const nameOf = (prototype: object): unknown => Object.getOwnPropertyDescriptor(prototype, brand)?.value
