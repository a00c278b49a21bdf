/**
 * What stands in the place of a call's arguments, and how it is told when something else does: options where Python has
 * keyword arguments, callbacks where Python has them, inputs that cannot be iterated. Each message says what to write.
 */
import { describe } from '@poolmq/shared'
import { callbackNames, optionNames, optionsOf } from './call-options.js'

/** What `apply` was given behind the task. */
export interface ApplyCall {
  readonly args: unknown[]
  readonly options: unknown
}

/**
 * The argument list of a task, with kwds as one more, last argument.
 *
 * @throws TypeError for options, or a callback, in the place of the arguments
 */
export function parseApply(method: string, call: readonly unknown[]): ApplyCall {
  const [args = [], kwds, options, ...extra] = call
  const form = `${method}(task, args, undefined, { … })`
  if (typeof args === 'function' || typeof kwds === 'function' || typeof options === 'function' || extra.length > 0) {
    if (call.some((given) => typeof given === 'function'))
      throw callbackInPlace(method, `${method}(task, args, undefined, `)
    throw new TypeError(`${method} takes at most four arguments, got ${call.length + 1}; options go together: ${form}`)
  }
  if (!Array.isArray(args)) {
    const hint = isOptions(args) ? `; options are the fourth argument: ${method}(task, [], undefined, { … })` : ''
    throw new TypeError(`args must be an array of arguments, got ${describe(args)}${hint}`)
  }
  if (options !== undefined && (typeof options !== 'object' || options === null)) {
    throw new TypeError(`${method}: options must be an object, got ${describe(options)}; write ${form}`)
  }
  if (kwds === undefined) return { args, options }
  if (typeof kwds !== 'object' || kwds === null) {
    throw new TypeError(`kwds must be an object, got ${describe(kwds)}; options are the fourth argument: ${form}`)
  }
  // With options beside it, it is known to stand where it was meant to.
  if (callbackIn(kwds) !== undefined || (options === undefined && isOptions(kwds))) {
    const names = Object.keys(kwds).join(', ')
    throw new TypeError(
      `${method}: the third argument is kwds, which the task is given; { ${names} } are options, the fourth: ` +
        `${method}(task, args, undefined, { ${names} }). If they are meant for the task: ` +
        `${method}(task, [...args, { ${names} }])`,
    )
  }
  return { args: [...args, kwds], options }
}

/** What `map` and `imap` were given behind the task. */
export interface MapCall {
  readonly items: unknown
  readonly options: unknown
}

/** @throws TypeError for callbacks, or anything else, that stand where Python has them */
export function parseMap(method: string, [items, options, ...extra]: readonly unknown[]): MapCall {
  if (typeof options !== 'function' && extra.length === 0) return { items, options }
  if (typeof options === 'function' || extra.some((given) => typeof given === 'function')) {
    throw callbackInPlace(method, `${method}(task, items, `)
  }
  const count = extra.length + 3
  throw new TypeError(
    `${method} takes at most three arguments, got ${count}; options go together: ${method}(task, items, { chunkSize, … })`,
  )
}

/** The whole input, read now: later changes of it are not seen. */
export function toArray(method: string, items: unknown): unknown[] {
  if (isPlainArray(items)) return items
  if (isIterable(items)) return Array.from(items)
  if (isAsyncIterable(items)) {
    const other = method.startsWith('star') ? 'istarmap' : 'imap'
    throw new TypeError(
      `${method}: items must be iterable, got an async iterable, whose length nobody knows; use ${other}, which reads it as it comes`,
    )
  }
  throw notIterable(method, items, 'iterable')
}

export function toInput(method: string, items: unknown): Iterable<unknown> | AsyncIterable<unknown> {
  if (isAsyncIterable(items) || isIterable(items)) return items
  throw notIterable(method, items, 'iterable or async iterable')
}

function notIterable(method: string, items: unknown, wanted: string): TypeError {
  return new TypeError(`${method}: items must be ${wanted}, got ${describe(items)}${iterationHint(items)}`)
}

function iterationHint(items: unknown): string {
  if (typeof items === 'function') return '; if it is a generator function, call it'
  if (typeof items !== 'object' || items === null) return ''
  if (typeof (items as { then?: unknown }).then === 'function') return '; it is a promise: await it first'
  const { length } = items as { length?: unknown }
  if (typeof length === 'number') return '; make an array of it: Array.from(items)'
  return '; of an object, pass Object.values(items), Object.keys(items) or Object.entries(items)'
}

/** Cutting an instance of a class of the user's would run its constructor, and its iterator may give other items than its elements. */
function isPlainArray(items: unknown): items is unknown[] {
  return (
    Array.isArray(items) && items.constructor === Array && items[Symbol.iterator] === Array.prototype[Symbol.iterator]
  )
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof (value as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] === 'function'
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as Partial<AsyncIterable<unknown>> | null | undefined)?.[Symbol.asyncIterator] === 'function'
}

/** Whether all that an object has are options, of whatever method. */
function isOptions(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const keys = Object.keys(value)
  return keys.length > 0 && keys.every((key) => optionNames.has(key))
}

function callbackIn(kwds: object): string | undefined {
  return ['onProgress', ...callbackNames].find((name) => typeof (kwds as Record<string, unknown>)[name] === 'function')
}

function callbackInPlace(method: string, start: string): TypeError {
  const takes = optionsOf(method).includes('callback')
  const asyncForm = `${method}Async`
  if (takes) return new TypeError(`${method} takes its callbacks by name: ${start}{ callback, errorCallback })`)
  if (method.startsWith('i')) {
    return new TypeError(`${method} has no callbacks, as in Python: iterate over its results`)
  }
  return new TypeError(
    `${method} has no callback; await its result, or use ${asyncForm}: ${start.replace(method, asyncForm)}{ callback, errorCallback })`,
  )
}
