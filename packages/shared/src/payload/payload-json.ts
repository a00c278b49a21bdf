import { hasExtraKeys, MANY_ELEMENTS } from './payload-kind.js'

/**
 * Decides whether native JSON alone brings a value back deep-equal: the fast path of nearly all payloads, so this is a
 * tight loop. It only says yes or no; what else a value holds, and where, is found out on the slow path.
 *
 * No to: undefined, bigint, NaN, infinities, -0, holes, extra array properties, symbol keys, any class or null
 * prototype, functions (so `toJSON` too), cycles, and one object held twice, whose identity has to be kept.
 */

/** Whether `JSON.parse(JSON.stringify(value))` is deep-equal to `value`. May throw what a getter throws. */
export function isPlainJson(value: unknown): boolean {
  return !toJsonPolluted() && isPlain(value, new References())
}

/** As {@link isPlainJson} for a list of items, each of which counts alone: two items may hold the same object. */
export function isPlainJsonList(values: readonly unknown[]): boolean {
  if (toJsonPolluted()) return false
  const references = new References()
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]
    if (typeof value === 'object') references.clear()
    if (!isPlain(value, references)) return false
  }
  return true
}

function isPlain(value: unknown, references: References): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return value - value === 0 && !Object.is(value, -0)
    case 'object':
      if (value === null) return true
      if (!references.add(value)) return false
      return Array.isArray(value) ? isPlainArray(value, references) : isPlainObject(value, references)
    default:
      return false
  }
}

function isPlainArray(array: readonly unknown[], references: References): boolean {
  if (Object.getPrototypeOf(array) !== Array.prototype) return false
  for (let i = 0; i < array.length; i += 1) {
    const value = array[i]
    // Written out, for arrays of numbers and of strings are what is mapped over most. A hole reads as undefined: no.
    if (typeof value === 'number') {
      if (value - value !== 0 || Object.is(value, -0)) return false
    } else if (typeof value !== 'string' && !isPlain(value, references)) {
      return false
    }
  }
  // There are no holes, so more keys than elements are extra ones; for a long array that is the slower way to tell.
  const isExact = array.length > MANY_ELEMENTS ? !hasExtraKeys(array) : Object.keys(array).length === array.length
  return isExact && Object.getOwnPropertySymbols(array).length === 0
}

function isPlainObject(object: object, references: References): boolean {
  if (Object.getPrototypeOf(object) !== Object.prototype) return false
  for (const key in object) {
    if (!isPlain((object as Record<string, unknown>)[key], references)) return false
  }
  return Object.getOwnPropertySymbols(object).length === 0
}

/** JSON.stringify would call an inherited `toJSON`; some old libraries define one on built-in prototypes. */
function toJsonPolluted(): boolean {
  return 'toJSON' in Array.prototype
}

/** The objects met so far: a short list, and a Set only from the seventeenth on. */
class References {
  #few: object[] = []
  #many: Set<object> | undefined

  /** Whether `object` is met for the first time. */
  add(object: object): boolean {
    const few = this.#few
    if (this.#many !== undefined) {
      const before = this.#many.size
      return this.#many.add(object).size > before
    }
    for (let i = 0; i < few.length; i += 1) if (few[i] === object) return false
    few.push(object)
    if (few.length > 16) this.#many = new Set(few)
    return true
  }

  clear(): void {
    this.#few.length = 0
    this.#many = undefined
  }
}
