import { hasExtraKeys, MANY_ELEMENTS, toJsonPolluted } from './payload-kind.js'
import { weigh } from './payload-weight.js'

/**
 * Decides whether native JSON alone brings a value back deep-equal: the fast path of nearly all payloads, so this is a
 * tight loop. It only says yes or no; what else a value holds, and where, is found out on the slow path.
 *
 * No to: undefined, bigint, NaN, infinities, -0, holes, extra array properties, symbol keys, any class or null
 * prototype, functions (so `toJSON` too), cycles, and one object held twice, whose identity has to be kept. No also to
 * many numbers in a list, which travel faster as their bytes, and to something large that several items hold.
 */

/** A list of so many numbers in an item is no matter for JSON. */
const MANY_NUMBERS = 8192
/** Items, members of each and levels that are looked at for something that they share. */
const SHARING_ITEMS = 8
const SHARING_MEMBERS = 16
const SHARING_LEVELS = 3
/** What is shared must weigh so much to be worth the slow path. */
const SHARING_WEIGHT = 2048

/** Whether `JSON.parse(JSON.stringify(value))` is deep-equal to `value`. May throw what a getter throws. */
export function isPlainJson(value: unknown): boolean {
  return !toJsonPolluted() && isPlain(value, new References())
}

/** As {@link isPlainJson} for a list of items, each of which counts alone: two items may hold the same object. */
export function isPlainJsonList(values: readonly unknown[]): boolean {
  if (toJsonPolluted() || shareLargely(values)) return false
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
  if (array.length > MANY_NUMBERS && typeof array[0] === 'number' && typeof array.at(-1) === 'number') return false
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

/**
 * Whether the first items hold one large object or text together, as those of `starmap(f, items.map((x) => [x, model]))` do:
 * as JSON, it would travel once for each.
 */
function shareLargely(values: readonly unknown[]): boolean {
  const [first] = values
  if (
    values.length < 2 ||
    !(typeof first === 'object' || (typeof first === 'string' && first.length > SHARING_WEIGHT))
  ) {
    return false
  }
  const met = new Set<unknown>()
  const shares = (value: unknown, level: number): boolean => {
    if (typeof value === 'string' ? value.length < SHARING_WEIGHT : typeof value !== 'object' || value === null) {
      return false
    }
    if (met.has(value)) return weigh(value, SHARING_WEIGHT) > SHARING_WEIGHT
    met.add(value)
    if (typeof value === 'string' || level === SHARING_LEVELS || ArrayBuffer.isView(value)) return false
    let left = SHARING_MEMBERS
    for (const key in value as object) {
      if (left-- === 0) return false
      if (shares((value as Record<string, unknown>)[key], level + 1)) return true
    }
    return false
  }
  for (let i = 0; i < values.length && i < SHARING_ITEMS; i += 1) {
    if (shares(values[i], 0)) return true
  }
  return false
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
