import type { TextPayload } from '../payload/codec.js'
import { decodePayload, encodeValue } from '../payload/codec.js'
import { isError } from '../payload/payload-kind.js'
import { findUncarried } from '../payload/payload-walk.js'
import { describeValue } from '../value-description.js'
import { boundParts, cutText } from './error-bounds.js'
import type { ErrorParts } from './error-parts.js'
import { createFromParts, fillFromParts, readError } from './error-parts.js'
import { ModuleError, PoolError, ProtocolError } from './errors.js'
import { RemoteTraceback } from './remote-traceback.js'

/**
 * What a task threw, on its way to the caller. Neither direction ever throws: an error that cannot be carried whole is
 * carried in part, and one that cannot be read is an error still.
 */

/** A thrown error as plain JSON. Name, message and stack are for everyone to read, `rest` is for {@link decodeError}. */
export interface WireError {
  /** Ids of its classes, its own first. */
  readonly classes: readonly string[]
  readonly name: string
  readonly message: string
  /** The stack in the process that threw it. */
  readonly stack?: string
  /** Its properties, cause and members, when it has any. */
  readonly rest?: TextPayload
  /** What could not be carried and why. */
  readonly dropped?: readonly string[]
}

/** Causes whose stacks are shown in a traceback; more are carried, but nobody reads them. */
const MOST_CAUSES = 8

/** Characters of an error's message, and of its properties, causes and members together: what is beyond is left out. */
const LONGEST_ERROR = 2 * 1024 * 1024
/** Where a chunk has had many or large errors, the others are cut to this. */
const LEAST_ERROR = 2048
/** Things that were left out, which are named. */
const MOST_NOTES = 50

/**
 * Encodes whatever was thrown. What is no Error becomes a PoolError with the code `ERR_POOL_NON_ERROR` and a `value`. A
 * message and properties, causes and members beyond a bound are cut, and it is noted what.
 *
 * @param room - characters that may be spent on it
 */
export function encodeError(thrown: unknown, room = LONGEST_ERROR): WireError {
  try {
    const limit = Math.max(LEAST_ERROR, Math.min(room, LONGEST_ERROR))
    const dropped: string[] = []
    const whole = readError(isError(thrown) ? thrown : nonError(thrown, dropped), dropped)
    const parts = boundParts(whole, limit, dropped)
    const { classes, name, message, stack } = parts
    const rest = encodeRest(parts, dropped)
    return {
      classes,
      name,
      message,
      ...(stack !== undefined && { stack }),
      ...(rest !== undefined && { rest }),
      ...(dropped.length > 0 && { dropped: dropped.slice(0, MOST_NOTES).map((note) => cutText(note, LEAST_ERROR)) }),
    }
  } catch (failure) {
    const message = `An error that cannot be read was thrown: ${describeValue(failure)}`
    return { classes: ['poolmq:PoolError'], name: 'PoolError', message }
  }
}

function nonError(thrown: unknown, dropped: string[]): PoolError {
  const message = `What was thrown is not an Error: ${describeValue(thrown)}`
  const error = new PoolError('ERR_POOL_NON_ERROR', message)
  // There is no remote stack; that of this function would mislead.
  error.stack = `${error.name}: ${message}`
  const uncarried = findUncarried(thrown)
  if (uncarried === undefined) return Object.assign(error, { value: thrown })
  dropped.push(`value${uncarried.path} ${uncarried.reason}`)
  return error
}

function encodeRest({ props, cause, errors }: ErrorParts, dropped: string[]): TextPayload | undefined {
  const hasCause = cause !== undefined
  if (props === undefined && !hasCause && errors === undefined) return undefined
  const rest = { ...(props && { props }), ...(hasCause && { cause }), ...(errors && { errors }) }
  try {
    return encodeValue(rest, 'its properties and causes')
  } catch (failure) {
    dropped.push(failure instanceof Error ? failure.message : describeValue(failure))
    return undefined
  }
}

/**
 * Makes the error again, of its own class when that is built in, PoolMQ's or registered with `registerErrors`. Its
 * `stack` is the remote one, and its chain of causes ends in a {@link RemoteTraceback}; where that chain ends in
 * something that is no Error, the traceback stands before it. What is no {@link WireError} gives a ProtocolError.
 *
 * @param index - the index in the call's input of the item that failed, for the traceback
 */
export function decodeError(wire: unknown, index?: number): Error {
  try {
    return decode(wire as WireError, index)
  } catch (cause) {
    return new ProtocolError('An error came back from a worker in a form that cannot be read', { cause })
  }
}

function decode(wire: WireError, index: number | undefined): Error {
  const error = createFromParts(wire)
  const dropped = Array.isArray(wire.dropped) ? wire.dropped.map(String) : []
  let rest: Partial<ErrorParts> = {}
  if (wire.rest !== undefined) {
    try {
      rest = decodePayload(wire.rest) as Partial<ErrorParts>
      if (typeof rest !== 'object' || rest === null) throw new TypeError('they are no object')
    } catch (failure) {
      rest = {}
      dropped.push(`its properties and causes: ${describeValue(failure)}`)
    }
  }
  const { name, message, stack } = wire
  fillFromParts(error, { ...rest, name, message, ...(stack !== undefined && { stack }) })
  // No task has thrown a ModuleError, and its stack is the user's own already.
  if (!(error instanceof ModuleError)) addTraceback(error, dropped, index)
  return error
}

function addTraceback(error: Error, dropped: readonly string[], index: number | undefined): void {
  const chain = new Set([error])
  let last = error
  while (isError(last.cause) && !chain.has(last.cause)) {
    last = last.cause
    chain.add(last)
  }
  const stacks = Array.from(chain)
    .slice(0, MOST_CAUSES)
    .map((link, depth) => `${depth === 0 ? '' : 'Caused by: '}${String(link.stack)}`)
  const text = [...stacks, ...dropped.map((note) => `(not carried: ${note})`)].join('\n')
  const traceback = new RemoteTraceback(text, {
    ...(last.cause !== undefined && { cause: last.cause }),
    ...(index !== undefined && { index }),
  })
  Object.defineProperty(last, 'cause', { value: traceback, writable: true, enumerable: false, configurable: true })
}
