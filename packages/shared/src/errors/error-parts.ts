import { attempt } from '../attempt.js'
import { findUncarried } from '../payload/payload-walk.js'
import { describeValue } from '../value-description.js'
import { classIdsOf, createError } from './error-class.js'

/**
 * An error taken apart for its travel and put together again: the same for one that was thrown (error-transport.ts) and
 * for one that is a value (payload-rich.ts). Reading never throws, whatever the error's getters do.
 */
export interface ErrorParts {
  /** Ids of its classes, its own first; see error-class.ts. */
  readonly classes: readonly string[]
  readonly name: string
  readonly message: string
  readonly stack?: string
  /** Own enumerable properties: key, value, key, value … A list, so that no key can be special. */
  readonly props?: readonly unknown[]
  /** Present when the error has a cause of its own. */
  readonly cause?: unknown
  /** The members of an AggregateError. */
  readonly errors?: readonly unknown[]
}

/** A stack longer than this is cut: deep recursion with a raised `Error.stackTraceLimit` makes megabytes. */
const LONGEST_STACK = 32_768
/** Characters of a name, or of the name of a class. */
const LONGEST_NAME = 1000

const OWN_PARTS: ReadonlySet<string> = new Set(['message', 'stack', 'cause'])

/** Takes an error apart. What it holds that is not carried is left out and noted in `dropped`, if given. */
export function readError(error: object, dropped: string[] = []): ErrorParts {
  const get = (key: string): unknown => attempt(() => Reflect.get(error, key))
  const classes = (attempt(() => classIdsOf(error)) ?? []).map((id) => id.slice(0, LONGEST_NAME))
  const name = textOr(get('name'), 'Error').slice(0, LONGEST_NAME)
  const message = textOr(get('message'), '')
  const stack = get('stack')
  const props = readProperties(error, dropped)
  const errors = attempt(() => Object.getOwnPropertyDescriptor(error, 'errors'))
  const ownCause = attempt(() => Object.hasOwn(error, 'cause')) === true ? get('cause') : undefined
  const uncarriedCause = findUncarried(ownCause)
  if (uncarriedCause !== undefined) dropped.push(`cause${uncarriedCause.path} ${uncarriedCause.reason}`)
  return {
    classes,
    name,
    message,
    ...(typeof stack === 'string' && { stack: shorten(stack, message) }),
    ...(props.length > 0 && { props }),
    ...(ownCause !== undefined && uncarriedCause === undefined && { cause: ownCause }),
    ...(errors?.enumerable === false && Array.isArray(errors.value) && { errors: readMembers(errors.value, dropped) }),
  }
}

function readProperties(error: object, dropped: string[]): unknown[] {
  const props: unknown[] = []
  for (const key of attempt(() => Object.keys(error)) ?? []) {
    if (OWN_PARTS.has(key)) continue
    try {
      const value: unknown = Reflect.get(error, key)
      const uncarried = findUncarried(value)
      if (uncarried === undefined) props.push(key, value)
      else dropped.push(`${key}${uncarried.path} ${uncarried.reason}`)
    } catch {
      dropped.push(`${key} threw when it was read`)
    }
  }
  return props
}

/** The members keep their places: in that of one that is not carried stands its description. */
function readMembers(members: readonly unknown[], dropped: string[]): unknown[] {
  return Array.from(members, (member, index) => {
    const uncarried = findUncarried(member)
    if (uncarried === undefined) return member
    dropped.push(`errors[${index}]${uncarried.path} ${uncarried.reason}`)
    return describeValue(member)
  })
}

/** A new error of the class that the parts name, still to be filled. Throws on parts that {@link readError} never makes. */
export function createFromParts(parts: Partial<ErrorParts>): Error {
  const { classes, name, message } = parts
  if (!Array.isArray(classes) || !classes.every((id) => typeof id === 'string'))
    throw new Error('an error without class')
  if (typeof name !== 'string' || typeof message !== 'string') throw new Error('an error without name and message')
  return createError(classes, name, message)
}

/** Fills an error. It can be called again with the same error when more of the parts is known: parts may form cycles. */
export function fillFromParts(error: Error, parts: Partial<ErrorParts>): void {
  const { name, message, stack, props, errors } = parts
  // A class of the user's may have getters there, which need what its constructor would have made.
  if (attempt(() => error.message) !== message) setHidden(error, 'message', message)
  if (attempt(() => error.name) !== name) setHidden(error, 'name', name)
  setHidden(error, 'stack', typeof stack === 'string' ? stack : `${name}: ${message}`)
  if (Object.hasOwn(parts, 'cause')) setHidden(error, 'cause', parts.cause)
  if (errors !== undefined) {
    if (!Array.isArray(errors)) throw new Error('an error whose members are no list')
    setHidden(error, 'errors', errors)
  }
  if (props !== undefined) {
    if (!Array.isArray(props)) throw new Error('an error whose properties are no list')
    setPairs(error, props, 0)
  }
}

/**
 * Sets own enumerable properties from a list of key, value, key, value …, beginning at `start`. By definition, not by
 * assignment, so that `__proto__` is a property like any other. Stops at a gap: what a cycle has not filled yet.
 */
export function setPairs(target: object, pairs: readonly unknown[], start: number): void {
  for (let i = start; i + 1 < pairs.length && Object.hasOwn(pairs, i) && Object.hasOwn(pairs, i + 1); i += 2) {
    const key = pairs[i]
    if (typeof key !== 'string') throw new Error('a property key that is no string')
    Object.defineProperty(target, key, { value: pairs[i + 1], writable: true, enumerable: true, configurable: true })
  }
}

function setHidden(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true })
}

function textOr(value: unknown, otherwise: string): string {
  if (typeof value === 'string') return value
  return value === undefined ? otherwise : describeValue(value)
}

/** A long message, which V8 repeats in the stack, must not take the place of the lines that say where it was thrown. */
function shorten(stack: string, message: string): string {
  if (stack.length <= LONGEST_STACK) return stack
  const at = message.length > LONGEST_NAME ? stack.slice(0, LONGEST_NAME).indexOf(message.slice(0, 100)) : -1
  const short = at < 0 ? stack : `${stack.slice(0, at)}${message.slice(0, 500)}…${stack.slice(at + message.length)}`
  return short.length > LONGEST_STACK ? `${short.slice(0, LONGEST_STACK)}\n    … (cut)` : short
}
