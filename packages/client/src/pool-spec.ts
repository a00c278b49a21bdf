/**
 * What worker processes are to know of a pool before its first chunk: the initializer, with its arguments encoded, and when
 * a process is replaced.
 */
import {
  describe,
  encodeValue,
  largestInline,
  type PoolSpec,
  type SharedContent,
  type TextPayload,
  taskInfo,
  weigh,
  wholeNumber,
} from '@poolmq/shared'
import { shareable } from './calls/shared-input.js'
import type { PoolOptions } from './pool-options.js'
import { sharedValue } from './shared-value.js'

interface ParsedSpec {
  /** Undefined where there is nothing to know. */
  readonly spec: PoolSpec | undefined
  /** The shared values that the arguments of the initializer hold. */
  readonly shared: readonly SharedContent[]
}

/** @throws TypeError, RangeError in Python's order: maxTasksPerChild, initializer; then our own options. */
export function parsePoolSpec(options: PoolOptions): ParsedSpec {
  const maxTasksPerChild = options.maxTasksPerChild as unknown
  if (
    maxTasksPerChild !== undefined &&
    !(Number.isSafeInteger(maxTasksPerChild) && (maxTasksPerChild as number) >= 1)
  ) {
    throw new RangeError(`maxTasksPerChild must be a positive integer or undefined, got ${describe(maxTasksPerChild)}`)
  }
  const { initializer, shared } = parseInitializer(options.initializer, options.initArgs)
  const { maxMemoryPerChild, maxAgePerChild } = options
  if (maxMemoryPerChild !== undefined) wholeNumber('maxMemoryPerChild', maxMemoryPerChild, 1)
  if (maxAgePerChild !== undefined) wholeNumber('maxAgePerChild', maxAgePerChild, 1)
  const spec: PoolSpec = {
    ...(initializer && { initializer }),
    ...(maxMemoryPerChild !== undefined && { maxMemoryPerChild }),
    ...(maxAgePerChild !== undefined && { maxAgePerChild }),
    ...(maxTasksPerChild !== undefined && { maxTasksPerChild: maxTasksPerChild as number }),
  }
  return { spec: Object.keys(spec).length === 0 ? undefined : spec, shared }
}

interface ParsedInitializer {
  readonly initializer?: NonNullable<PoolSpec['initializer']>
  readonly shared: readonly SharedContent[]
}

function parseInitializer(initializer: unknown, initArgs: unknown): ParsedInitializer {
  if (initArgs !== undefined && !Array.isArray(initArgs)) {
    throw new TypeError(`initArgs must be an array of arguments, got ${describe(initArgs)}`)
  }
  if (initializer === undefined) {
    if (initArgs !== undefined) throw new TypeError('initArgs without an initializer; nothing would take them')
    return { shared: [] }
  }
  const { id, version } = taskInfo(initializer, 'initializer')
  const { encoding, text, shared = [] } = encodeInitArgs(initArgs ?? [])
  const refs = shared.map(({ hash, size }) => ({ hash, size }))
  const about = { ...(version !== undefined && { version }), ...(refs.length > 0 && { shared: refs }) }
  return { initializer: { task: id, args: { encoding, text }, ...about }, shared }
}

/** Large ones are a shared value themselves: a host fetches them once, and nothing large stands in one string. */
function encodeInitArgs(initArgs: readonly unknown[]): TextPayload {
  if (weigh(initArgs, largestInline) <= largestInline) {
    const args = encodeValue(initArgs, 'initArgs')
    if (args.text.length <= largestInline) return args
  }
  const standIn = sharedValue(shareable(initArgs, 'initArgs'), () => undefined)
  return encodeValue(standIn, 'initArgs')
}
