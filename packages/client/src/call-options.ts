/** The options of a Pool's calls, and their checks. None is accepted and ignored. */
import {
  type CallHeader,
  type Carrier,
  describe,
  knownOptions,
  milliseconds,
  type TaskFunction,
  wholeNumber,
} from '@poolmq/shared'
import type { Callbacks } from './calls/callback-queue.js'
import { isAbortSignal } from './engine/abort-watch.js'

/** How far a call is. */
export interface Progress {
  /** Items whose outcome is there, failed ones included. */
  readonly done: number
  /** Items of the call; undefined while an `imap` is still reading its input. */
  readonly total: number | undefined
}

/** Options of every call. Python has no counterparts. */
export interface CallOptions {
  /**
   * Cancels the call: what waits is removed, what runs is stopped (the task's own AbortSignal first, after half a second
   * its worker process), and the result rejects with CancelledError, whose `cause` is the signal's reason. An AbortSignal of
   * any realm, or a polyfill that has its shape; one signal may be given to any number of calls and pools.
   */
  readonly signal?: AbortSignal | undefined
  /**
   * Milliseconds that one item may run, its wait in the queue not counted. Then the task's AbortSignal is aborted, and a
   * second later its worker process is ended; the item fails with TaskTimeoutError. A number of at least 1, or `Infinity`.
   *
   * @defaultValue no limit
   */
  readonly timeout?: number | undefined
  /**
   * Tries after the first one for an item whose task throws. The worker process waits for the back-off: for long ones,
   * retry in the producer. @defaultValue 0, as in Python
   */
  readonly retries?: number | undefined
  /** Milliseconds before the first retry, at most; doubled for each that follows, up to 30 s. @defaultValue 100 */
  readonly retryDelay?: number | undefined
  /** Names (`'TypeError'`) or codes (`'ECONNRESET'`) of the errors that are tried again. @defaultValue all */
  readonly retryIf?: readonly string[] | undefined
  /**
   * 0 to 2097151. Chunks of a lower number run first; 0, the default, before all others. Give a higher number to what
   * can wait. In a pool that is always busy it does not wait for ever: one time in 16 that a worker process takes chunks, the one
   * with a number above 0 that has waited longest comes first, if that is more than 20 s, and one time in four if it is more
   * than a minute.
   */
  readonly priority?: number | undefined
  /**
   * Called when a chunk has ended, before the result is ready, in the `AsyncLocalStorage` context of the call. If it
   * throws, the call fails with that error. A promise that it returns is not waited for; when it rejects, so does the call.
   */
  readonly onProgress?: ((progress: Progress) => unknown) | undefined
}

/** Options of `apply`. */
export type ApplyOptions = CallOptions

/** Options of `applyAsync`. */
export interface ApplyAsyncOptions<T> extends CallOptions, Callbacks<T> {}

/** What a call can do about a chunk that is held up on one host. */
export interface BackupOptions {
  /**
   * Runs a chunk a second time, in another worker process, on another host where there is one, when it has run for more than
   * twice the median of the call's chunks that have ended, and for a second at least, while worker processes have nothing to
   * do. The first outcome counts; the other copy is stopped, and its task told through its AbortSignal. So one slow host does
   * not hold the end of a call up.
   *
   * For tasks that may run twice: what they do beside their result (write a file, send a mail) is done twice then, at
   * the same time.
   *
   * @defaultValue false
   */
  readonly backup?: boolean | undefined
}

/** Options of `map` and `starmap`. */
export interface MapOptions extends CallOptions, BackupOptions {
  /**
   * Items in a chunk, the unit that a worker process takes: a whole number of at least 1. Larger chunks cost less per
   * item, smaller ones spread the work better.
   *
   * @defaultValue Python's: about four chunks for each worker process; fewer items where they are large, some 8 MiB a chunk
   */
  readonly chunkSize?: number | undefined
}

/** Options of `mapAsync` and `starmapAsync`. */
export interface MapAsyncOptions<T> extends MapOptions, Callbacks<T> {}

/** Options of `mapAsync`, `starmapAsync` and `applyAsync` that make a call durable: it goes on when its producer ends. */
export interface DurableOptions {
  /**
   * The key of the call in its pool, which must have a name: 1 to 200 characters. A call that is there under this key is joined when it runs,
   * and its results are given when it is done; it is never run twice. Other items or another task under the same key are refused with
   * DurableConflictError, which names the first item that differs. Every item of it runs, also behind one that fails.
   */
  readonly durable: string
  /**
   * Milliseconds that the results are kept from the end of the call on; while it is not at its end, it is kept for as long, and for an hour
   * at least, after a host or a handle was last there. A whole number of at least 1, and at most some 30 years. @defaultValue 86_400_000, a day
   */
  readonly keep?: number | undefined
  /**
   * What becomes of a call that has ended: `return` gives its results; `rerun-failed` runs the items again that failed, or never
   * ran as it was cancelled; `rerun` runs all. @defaultValue 'return'
   */
  readonly ifDone?: 'return' | 'rerun-failed' | 'rerun' | undefined
}

/** Options of `imap`, `imapUnordered` and their `istarmap` forms. */
export interface ImapOptions extends CallOptions, BackupOptions {
  /**
   * Items in a chunk: a whole number of at least 1, or `'auto'`: single items at first, then as many as run for about
   * 20 ms. Outcomes are per item whatever the size. Give 1, Python's default, where `maxTasksPerChild` is to count items
   * or every result is wanted as soon as it is there.
   *
   * @defaultValue 'auto'
   */
  readonly chunkSize?: number | 'auto' | undefined
  /**
   * Chunks that are submitted and whose results have not been taken, at most: a whole number of at least 1, or
   * `Infinity`, which reads the whole input at once as CPython does up to 3.15. The input is read no further meanwhile.
   *
   * @defaultValue 4 for each worker process
   */
  readonly bufferSize?: number | undefined
}

/** All options, as they are after the checks. */
export interface ParsedOptions extends CallOptions, BackupOptions, Callbacks<never>, Partial<DurableOptions> {
  readonly chunkSize?: number | 'auto' | undefined
  readonly bufferSize?: number | undefined
}

const everyCall = ['signal', 'timeout', 'retries', 'retryDelay', 'retryIf', 'priority', 'onProgress']
export const callbackNames = ['callback', 'errorCallback'] as const
const durableNames = ['durable', 'keep', 'ifDone'] as const
const ifDone: readonly unknown[] = ['return', 'rerun-failed', 'rerun']

/** The options that each method knows. */
const known: Record<string, readonly string[]> = {
  apply: everyCall,
  applyAsync: [...everyCall, ...callbackNames, ...durableNames],
  map: [...everyCall, 'chunkSize', 'backup'],
  mapAsync: [...everyCall, 'chunkSize', 'backup', ...callbackNames, ...durableNames],
  starmap: [...everyCall, 'chunkSize', 'backup'],
  starmapAsync: [...everyCall, 'chunkSize', 'backup', ...callbackNames, ...durableNames],
  imap: [...everyCall, 'chunkSize', 'bufferSize', 'backup'],
}

export const optionsOf = (method: string): readonly string[] => known[method] ?? (known.imap as readonly string[])

/** The options of all methods. */
export const optionNames: ReadonlySet<string> = new Set(Object.values(known).flat())

/** The options of all methods. */
export type OptionName = keyof ApplyAsyncOptions<never> | keyof ImapOptions | keyof DurableOptions

/** Why options are not taken for kwds: the compiler's message quotes it. */
export interface OptionsInPlaceOfKwds {
  readonly 'options are the fourth argument: (task, args, undefined, options)': never
}

/** What is kwds and nothing else: the third argument of `apply`, where options would be given to the task. */
export type Kwds<K extends object> = [keyof K] extends [never]
  ? K
  : [keyof K] extends [OptionName]
    ? OptionsInPlaceOfKwds
    : K extends { callback: TaskFunction } | { errorCallback: TaskFunction } | { onProgress: TaskFunction }
      ? OptionsInPlaceOfKwds
      : K

/** Timers take no more; it is 24 days. */
const longestTimeout = 2 ** 31 - 10_000
/** Names that `retryIf` may have, and characters in each: they travel with every chunk. */
const mostNames = 50
const longestName = 100
/** BullMQ's highest number. */
const leastUrgent = 2 ** 21 - 1
const longestKey = 200
/** Milliseconds; Redis's own limit lies further out, and a key that is kept for ever has no owner. */
const longestKeep = 1e12

/**
 * Checks options; a plain number is the chunk size, as Python's third argument is. What it gives is a copy: an object of options may be
 * used, and changed, for the next call while this one runs.
 *
 * @throws TypeError for an unknown option or a value of a wrong type, RangeError for one out of range.
 */
export function parseCallOptions(method: string, given: unknown): ParsedOptions {
  if (given === undefined) return {}
  const options = copied(typeof given === 'object' && given !== null ? given : { chunkSize: given })
  for (const name of callbackNames) {
    if (options[name] === undefined || optionsOf(method).includes(name)) continue
    const other = method.startsWith('i') ? 'iterate over its results' : `await its result, or use ${method}Async`
    throw new TypeError(`${method} has no ${name}; ${other}`)
  }
  if (options.durable !== undefined && !optionsOf(method).includes('durable')) {
    const other = method.startsWith('i') ? 'starmapAsync or mapAsync' : `${method}Async`
    throw new TypeError(`${method} cannot be durable; use ${other}, whose handle can be found again`)
  }
  if (typeof given === 'object' && given !== null) knownOptions(method, given, optionsOf(method))
  const { signal, timeout, retries, retryDelay, retryIf, priority, chunkSize, bufferSize, backup } = options
  // A number in the place of the options must be a chunk size; `undefined` in them is an option not given.
  const isAuto = chunkSize === 'auto' && method.startsWith('i')
  if (!isAuto && (chunkSize !== undefined || typeof given !== 'object')) wholeNumber('chunkSize', chunkSize, 1)
  if (bufferSize !== undefined && bufferSize !== Number.POSITIVE_INFINITY) wholeNumber('bufferSize', bufferSize, 1)
  if (timeout !== undefined) milliseconds('timeout', timeout, 1)
  if (retries !== undefined) wholeNumber('retries', retries, 0)
  if (retryDelay !== undefined && milliseconds('retryDelay', retryDelay) === Number.POSITIVE_INFINITY) {
    throw new RangeError('retryDelay must be finite; for no retries leave retries out')
  }
  if (priority !== undefined && wholeNumber('priority', priority, 0) > leastUrgent) {
    throw new RangeError(`priority must be at most ${leastUrgent}, got ${priority}`)
  }
  if (retries === undefined && (retryDelay !== undefined || retryIf !== undefined)) {
    throw new TypeError('retryDelay and retryIf say how to retry; give retries as well')
  }
  if (retryIf !== undefined && !(Array.isArray(retryIf) && retryIf.every((name) => typeof name === 'string'))) {
    throw new TypeError(`retryIf must be an array of error names or codes, got ${describe(retryIf)}`)
  }
  if (retryIf !== undefined && (retryIf.length > mostNames || retryIf.some((name) => name.length > longestName))) {
    throw new RangeError(`retryIf must be at most ${mostNames} names of at most ${longestName} characters`)
  }
  if (backup !== undefined && typeof backup !== 'boolean') {
    throw new TypeError(`backup must be true or false, got ${describe(backup)}`)
  }
  if (signal !== undefined && !isAbortSignal(signal)) {
    throw new TypeError(`signal must be an AbortSignal, got ${describe(signal)}`)
  }
  for (const name of [...callbackNames, 'onProgress'] as const) {
    const callback = (options as Record<string, unknown>)[name]
    if (callback !== undefined && typeof callback !== 'function') {
      throw new TypeError(`${name} must be a function, got ${describe(callback)}`)
    }
  }
  parseDurable(options)
  return options
}

/** Each option is read once: inherited ones, and what getters give, as well. */
function copied(given: object): ParsedOptions {
  const options: Record<string, unknown> = {}
  for (const name of optionNames) {
    const value = (given as Record<string, unknown>)[name]
    if (value !== undefined) options[name] = value
  }
  return options as ParsedOptions
}

function parseDurable({ durable, keep, ifDone: again, backup }: ParsedOptions): void {
  if (durable === undefined) {
    if (keep !== undefined || again !== undefined) {
      throw new TypeError('keep and ifDone are of a durable call; give durable, its key, as well')
    }
    return
  }
  durableKey(durable)
  if (backup === true) {
    throw new TypeError(
      'a durable call cannot have backup: what looks for chunks that are held up ends with its producer',
    )
  }
  if (keep !== undefined && wholeNumber('keep', keep, 1) > longestKeep) {
    throw new RangeError(`keep must be at most ${longestKeep} milliseconds, got ${keep}`)
  }
  if (again !== undefined && !ifDone.includes(again)) {
    throw new TypeError(`ifDone must be 'return', 'rerun-failed' or 'rerun', got ${describe(again)}`)
  }
}

/** The key of a durable call. */
export function durableKey(key: unknown): string {
  if (typeof key !== 'string')
    throw new TypeError(`durable must be the key of the call, a string, got ${describe(key)}`)
  if (key.length === 0 || key.length > longestKey) {
    throw new RangeError(`durable must be a key of 1 to ${longestKey} characters, got ${key.length}`)
  }
  return key
}

/** What the chunks of a call tell their workers of these options. */
export function callHeader(
  options: ParsedOptions,
  mode: CallHeader['mode'],
  spread: boolean,
  spec: boolean,
  module: string | undefined,
  trace: Carrier | undefined,
  version: string | undefined,
): CallHeader {
  const { timeout = Number.POSITIVE_INFINITY, retries = 0, retryDelay = 100, retryIf } = options
  return {
    mode,
    spread,
    spec,
    timeout: timeout > longestTimeout ? 0 : timeout,
    ...(retries > 0 && { retry: { count: retries, delay: retryDelay, ...(retryIf && { on: [...retryIf] }) } }),
    ...(module !== undefined && { module }),
    ...(trace !== undefined && { trace }),
    ...(version !== undefined && { version }),
  }
}
