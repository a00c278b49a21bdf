/** CPython's terms in ours: an observation of golden.json becomes what PoolMQ is expected to answer. */
import { expect } from 'vitest'
import type { Observation } from './outcome.js'

interface Rule {
  readonly python: string
  /** Which messages the rule is for. */
  readonly message: RegExp
  readonly ours: string
  /** Whether PoolMQ's message is the same, word by word. */
  readonly keep: boolean
}

const rule = (python: string, message: RegExp, ours: string, keep = false): Rule => ({ python, message, ours, keep })
const ofTask = /^task /

const rules: readonly Rule[] = [
  rule('ValueError', /^Pool not running$/, 'PoolStateError', true),
  rule('ValueError', /^Pool is still running$/, 'PoolStateError', true),
  rule('ValueError', /not ready$/, 'PoolStateError'),
  rule('ValueError', /^Number of processes must be at least 1$/, 'RangeError'),
  rule('ValueError', /^maxtasksperchild must be a positive int/, 'RangeError'),
  rule('ValueError', /^Chunksize must be 1\+/, 'RangeError'),
  rule('ValueError', /^Stop argument for islice/, 'RangeError'),
  rule('multiprocessing.TimeoutError', /^$/, 'TimeoutError'),
  rule('MaybeEncodingError', /^Error sending result/, 'EncodingError'),
  // What the suite's tasks and inputs raise themselves comes back with its message.
  rule('TaskFailure', /./, 'TaskFailure', true),
  rule('SourceFailure', /./, 'SourceFailure', true),
  rule('ValueError', ofTask, 'RangeError', true),
  rule('TypeError', ofTask, 'TypeError', true),
  rule('RuntimeError', ofTask, 'Error', true),
  rule('TypeError', /./, 'TypeError'),
]

interface PythonError {
  readonly type: string
  readonly message: string
}

function translateError({ type, message }: PythonError): { type: string; message?: string } {
  const found = rules.find((candidate) => candidate.python === type && candidate.message.test(message))
  if (found === undefined) return { type: `no translation of CPython's ${type}: ${message}` }
  return found.keep ? { type: found.ours, message } : { type: found.ours }
}

/** CPython's observation in our terms, for comparison with {@link expected}. */
export function translate<T>(golden: T): T {
  return mapErrors(golden, (error) => translateError(error as PythonError)) as T
}

/** What an observation is compared with: an error without a message matches any message. */
export function expected(observation: Observation): unknown {
  return mapErrors(observation, (error) => ('message' in error ? error : expect.objectContaining(error)))
}

function mapErrors(node: unknown, change: (error: object) => unknown): unknown {
  if (Array.isArray(node)) return node.map((part) => mapErrors(part, change))
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node).map(([key, part]) => [
      key,
      key === 'error' && typeof part === 'object' && part !== null && 'type' in part
        ? change(part)
        : mapErrors(part, change),
    ]),
  )
}
