/**
 * Every error that PoolMQ itself makes. Each has a stable `code` (`ERR_POOL_…`) to branch on, its data as fields, and
 * what led to it as `cause`. Errors of tasks are not here: they come back as what the task threw.
 */

import { acceptCopies, brandClass } from './error-brand.js'

/** What every {@link PoolError} may be given beside its message. */
export interface PoolErrorOptions {
  /** What led to this error. */
  readonly cause?: unknown
}

/**
 * The base of all errors that PoolMQ itself makes.
 *
 * @example
 * ```ts
 * try {
 *   await pool.map(math.square, items)
 * } catch (error) {
 *   if (error instanceof PoolError && error.code === 'ERR_POOL_WORKER_LOST') retryLater()
 *   else throw error
 * }
 * ```
 */
export class PoolError extends Error {
  /** Stable, machine-readable: `ERR_POOL_…`. */
  readonly code: string

  constructor(code: string, message: string, options?: PoolErrorOptions) {
    // A `cause` of `undefined` is a cause to Error; only pass it on when there is one.
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
  }
}

/** The pool is not in the state that the call needs: "Pool not running", "Pool is still running". */
export class PoolStateError extends PoolError {
  constructor(message: string) {
    super('ERR_POOL_STATE', message)
  }
}

/** A `get`, `wait` or `next` ran out of its time. Nothing was cancelled: a later `get` can still have the value. */
export class TimeoutError extends PoolError {
  constructor(message = 'The result was not ready in time') {
    super('ERR_POOL_TIMEOUT', message)
  }
}

/** The pool was terminated, or its scope was left, while the result was pending. */
export class PoolTerminatedError extends PoolError {
  constructor(message = 'The pool was terminated before the result was ready') {
    super('ERR_POOL_TERMINATED', message)
  }
}

/** What is known of a lost worker process and of what it ran. */
export interface WorkerLostDetails extends PoolErrorOptions {
  /** The exit code, when the process ended by itself. */
  readonly exitCode?: number
  /** The signal that ended the process, as `SIGKILL`. */
  readonly signal?: string
  /** The name of the host the process ran on. */
  readonly host?: string
  /** The process id on that host. */
  readonly pid?: number
  /** The build that the host says it runs (`poolmq worker --build`). */
  readonly build?: string
  /** How many times the chunk was started before it was given up. */
  readonly starts: number
  /** The id of the task that ran. */
  readonly taskId?: string
  /** The index of the item that ran, in the input of its call; of an `apply`, 0. */
  readonly index?: number
}

/**
 * Worker processes died (killed, out of memory, crashed, exited) each time they ran this item. The `cause` is what the last
 * one died of, where it could tell: an error that nobody caught (of a timer, of a promise that nobody awaited), or a
 * `process.exit()`, each with its stack.
 */
export class WorkerLostError extends PoolError {
  declare readonly exitCode?: number
  declare readonly signal?: string
  declare readonly host?: string
  declare readonly pid?: number
  declare readonly build?: string
  readonly starts: number
  declare readonly taskId?: string
  declare readonly index?: number

  constructor(message: string, details: WorkerLostDetails = { starts: 1 }) {
    super('ERR_POOL_WORKER_LOST', message, details)
    const { cause: _cause, starts, ...rest } = details
    this.starts = starts
    assignDefined(this, rest)
  }
}

/** The pool's initializer threw in every try; its last error is the `cause`. */
export class InitializerError extends PoolError {
  constructor(message: string, options?: PoolErrorOptions) {
    super('ERR_POOL_INITIALIZER', message, options)
  }
}

/** No live worker of the pool knows this task. */
export class UnknownTaskError extends PoolError {
  /** The id that was asked for. */
  readonly taskId: string
  /** Known ids that are written alike, nearest first. */
  readonly nearest: readonly string[]

  constructor(message: string, details: { readonly taskId: string; readonly nearest?: readonly string[] }) {
    super('ERR_POOL_UNKNOWN_TASK', message)
    this.taskId = details.taskId
    this.nearest = details.nearest ?? []
  }
}

/** A host that knows a task, and in which versions. */
export interface TaskHolder {
  /** The host's name. */
  readonly host: string
  /** Its supervisor's process id. */
  readonly pid: number
  /** The versions of the task that it has; none: it has it without a version. */
  readonly versions: readonly string[]
  /** The build that it says it runs (`poolmq worker --build`). */
  readonly build?: string
}

/** Live workers of the pool know this task, and none has it in the version that the call asks for. */
export class TaskVersionError extends UnknownTaskError {
  override readonly code: string = 'ERR_POOL_TASK_VERSION'
  /** The version that was asked for. */
  readonly version: string
  /** Who has the task, and in which versions. */
  readonly holders: readonly TaskHolder[]

  constructor(
    message: string,
    details: { readonly taskId: string; readonly version: string; readonly holders: readonly TaskHolder[] },
  ) {
    super(message, { taskId: details.taskId })
    this.version = details.version
    this.holders = details.holders
  }
}

/** Where and why a value could not be encoded or decoded. */
export interface EncodingErrorDetails extends PoolErrorOptions {
  /** Where the value is, as `args[0].fn`, `items[3]`, `result`. */
  readonly place: string
  /** What is wrong with it. */
  readonly reason?: string
  /** A short description of the value. */
  readonly value?: string
  /** The index of the item that it belongs to, in the input of its call; of an `apply`, 0. */
  readonly index?: number
}

/** A value, a result or an error that cannot cross to another process. */
export class EncodingError extends PoolError {
  readonly place: string
  declare readonly reason?: string
  declare readonly value?: string
  declare readonly index?: number

  constructor(message: string, details: EncodingErrorDetails) {
    super('ERR_POOL_ENCODING', message, details)
    const { cause: _cause, place, ...rest } = details
    this.place = place
    assignDefined(this, rest)
  }
}

/** Redis cannot be reached, or no Redis is configured. */
export class ConnectionError extends PoolError {
  constructor(message: string, options?: PoolErrorOptions) {
    super('ERR_POOL_CONNECTION', message, options)
  }
}

/** One item ran longer than its `timeout`; its worker process was ended. */
export class TaskTimeoutError extends PoolError {
  /** The limit in milliseconds. */
  readonly timeout: number
  /** The index of the item, in the input of its call; of an `apply`, 0. */
  declare readonly index?: number

  constructor(message: string, details: { readonly timeout: number; readonly index?: number }) {
    super('ERR_POOL_TASK_TIMEOUT', message)
    this.timeout = details.timeout
    assignDefined(this, { index: details.index })
  }
}

/** The call was cancelled through its AbortSignal; the signal's reason is the `cause`. */
export class CancelledError extends PoolError {
  constructor(message = 'The call was cancelled', options?: PoolErrorOptions) {
    super('ERR_POOL_CANCELLED', message, options)
  }
}

/** A task, or a callback, used its own pool in a way that would wait for itself for ever. */
export class NestedPoolError extends PoolError {
  constructor(message: string, options?: PoolErrorOptions) {
    super('ERR_POOL_NESTED', message, options)
  }
}

/**
 * A task module does not load, defines no tasks, or an id is defined twice. Of one that does not load the message has the
 * reason with the user's file and line, and the stack the frames in the user's files; there is no `cause`, which would say
 * them again.
 */
export class ModuleError extends PoolError {
  /** The module's path or URL. */
  declare readonly module?: string

  constructor(message: string, details: PoolErrorOptions & { readonly module?: string } = {}) {
    super('ERR_POOL_MODULE', message, details)
    assignDefined(this, { module: details.module })
  }
}

/** Items of a durable call: from this index, up to the other, which is not among them. */
export type ItemRange = readonly [from: number, to: number]

/** A durable call of this key is there, and was begun with something else. */
export class DurableConflictError extends PoolError {
  /** The call's key. */
  readonly key: string
  /** What differs. */
  readonly what: 'task' | 'version' | 'form' | 'chunkSize' | 'items'
  /** The index of the first item that differs. */
  declare readonly index?: number

  constructor(
    message: string,
    details: { readonly key: string; readonly what: DurableConflictError['what']; readonly index?: number },
  ) {
    super('ERR_POOL_DURABLE_CONFLICT', message)
    this.key = details.key
    this.what = details.what
    assignDefined(this, { index: details.index })
  }
}

/**
 * Redis has lost items of a durable call, or outcomes of them, and nobody is there who could give them again: pass the same
 * items under the same key, and what is missing runs.
 */
export class DurableLostError extends PoolError {
  /** The call's key. */
  readonly key: string
  /** The items that are missing, in order. */
  readonly items: readonly ItemRange[]

  constructor(message: string, details: { readonly key: string; readonly items: readonly ItemRange[] }) {
    super('ERR_POOL_DURABLE_LOST', message)
    this.key = details.key
    this.items = details.items
  }
}

/** There is no durable call of this key: none was begun, it was forgotten, or its `keep` is over. */
export class NoDurableCallError extends PoolError {
  /** The key that was asked for. */
  readonly key: string

  constructor(message: string, details: { readonly key: string }) {
    super('ERR_POOL_NO_DURABLE_CALL', message)
    this.key = details.key
  }
}

/** What was read from Redis is not what this version writes: damaged, foreign, or from a newer version. */
export class ProtocolError extends PoolError {
  constructor(message: string, options?: PoolErrorOptions) {
    super('ERR_POOL_PROTOCOL', message, options)
  }
}

/** Sets only what is known: an unknown detail is an absent property, which reads and prints better than `undefined`. */
function assignDefined(target: object, details: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(details)) {
    if (value !== undefined)
      Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
  }
}

for (const [name, { prototype }] of Object.entries({
  PoolError,
  PoolStateError,
  TimeoutError,
  PoolTerminatedError,
  WorkerLostError,
  InitializerError,
  UnknownTaskError,
  TaskVersionError,
  EncodingError,
  ConnectionError,
  TaskTimeoutError,
  CancelledError,
  NestedPoolError,
  ModuleError,
  ProtocolError,
  DurableConflictError,
  DurableLostError,
  NoDurableCallError,
})) {
  brandClass(name, prototype)
}
acceptCopies(PoolError)
