/** Checks of option values. Each error says which option, which value, and what would be right. */
import { describeValue } from './value-description.js'

/** A whole number of at least `least`. RangeError for a number that is not one, TypeError for anything else. */
export function wholeNumber(name: string, value: unknown, least: number): number {
  if (typeof value !== 'number') {
    throw new TypeError(`${name} must be a whole number of at least ${least}, got ${describe(value)}`)
  }
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`${name} must be a whole number of at least ${least}, got ${value}`)
  }
  return value
}

/** Milliseconds: a number of at least `least`; `Infinity` is allowed. */
export function milliseconds(name: string, value: unknown, least = 0): number {
  if (typeof value !== 'number') {
    throw new TypeError(`${name} must be a number of milliseconds, got ${describe(value)}`)
  }
  if (Number.isNaN(value) || value < least) {
    throw new RangeError(`${name} must be at least ${least} milliseconds, got ${value}`)
  }
  return value
}

/** The name of a pool, which becomes the hash tag of its keys. */
export function poolName(value: unknown): string {
  return shortName('name', value)
}

/** A name that may stand in that of a key in Redis. */
export function shortName(option: string, value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`${option} must be a string, got ${describe(value)}`)
  if (!/^[\w.-]{1,100}$/.test(value)) {
    throw new RangeError(`${option} must be 1 to 100 letters, digits, '_', '.', '-', got ${JSON.stringify(value)}`)
  }
  return value
}

/** Characters of what is told with every call, or of every host. */
const longestText = 100

/**
 * A short text that must say something: an empty one is, as a rule, a variable that is not set.
 *
 * @param otherwise - what to do to give none, for the message
 */
export function shortText(name: string, value: unknown, otherwise: string): string {
  if (typeof value !== 'string') {
    const written = typeof value === 'number' ? `, written '${value}'` : `; ${otherwise}`
    throw new TypeError(`${name} must be a string, got ${describe(value)}${written}`)
  }
  if (value.trim() === '') {
    const got = value === '' ? 'is empty' : 'is blank'
    throw new RangeError(`${name} ${got}: is the variable set that it is taken from? (${otherwise})`)
  }
  if (value.length > longestText) {
    throw new RangeError(`${name} must be at most ${longestText} characters, got ${value.length}`)
  }
  return value
}

/** What a host says it was built from, which operators see. */
export function buildId(value: unknown, name = 'build'): string {
  return shortText(name, value, 'without a build id, leave it out')
}

/** Refuses option names that do not exist, and what holds no options at all: a misspelt or misplaced option must not be ignored. */
export function knownOptions(what: string, options: object, known: readonly string[]): void {
  const keys = Object.keys(options)
  if (keys.length === 0 && isOther(options) && !known.some((name) => name in options)) {
    throw new TypeError(`${what}: options must be an object like { ${known[0]}: … }, got ${describeValue(options)}`)
  }
  for (const key of keys) {
    if (!known.includes(key)) {
      const meant = known.find((name) => plain(name) === plain(key))
      const hint = meant === undefined ? `known are ${known.join(', ')}` : `it is called ${meant}`
      throw new TypeError(`${what}: unknown option ${JSON.stringify(key)}; ${hint}`)
    }
  }
}

/** Whether it is an array, a Map, an AbortSignal, a promise …: of whatever realm, an object of options has Object's prototype or none. */
function isOther(options: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(options)
  return prototype !== null && Object.getPrototypeOf(prototype) !== null
}

/** A name as Python or a typo has it: `chunk_size`, `chunksize`. */
const plain = (name: string): string => name.replaceAll('_', '').toLowerCase()

export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'object' || typeof value === 'function') return `a value of type ${typeof value}`
  return String(value)
}
