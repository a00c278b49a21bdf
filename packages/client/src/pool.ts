/**
 * `Pool`: the surface of Python's `multiprocessing.pool.Pool`. It keeps Python's states and the order of its checks,
 * which throw at the call, and leaves the work to pool-engine.ts.
 *
 *   map(task, items)
 *     → chunker: chunks, each encoded once        → pool-engine: an open call, its chunks
 *     → submitter: batches into BullMQ            → … a worker process, on any host …
 *     → result-reader: outcomes from the stream   → collector: the call's value → callbacks → AsyncResult
 */
import {
  describe,
  isWorker,
  NestedPoolError,
  PoolStateError,
  PoolTerminatedError,
  type TaskFunction,
  type TaskRef,
  taskInfo,
} from '@poolmq/shared'
import { type CallInfo, currentTask, type HostInfo, type PoolStats } from '@poolmq/worker'
import {
  type ApplyAsyncOptions,
  type ApplyOptions,
  type ImapOptions,
  type MapAsyncOptions,
  type MapOptions,
  type ParsedOptions,
  parseCallOptions,
} from './call-options.js'
import type { AsyncResult } from './calls/async-result.js'
import { defaultChunkSize, encodeCall, encodeChunk } from './calls/chunker.js'
import { startImap } from './calls/imap-call.js'
import type { ImapFeeder } from './calls/imap-feeder.js'
import type { ImapResults } from './calls/imap-iterator.js'
import { startMap } from './calls/map-call.js'
import { PoolEngine } from './engine/pool-engine.js'
import { forgetPool, watchPool } from './engine/unclosed-pools.js'
import { type PoolOptions, parsePoolOptions } from './pool-options.js'

/** Arguments of a task in `apply`: may be left out when the task needs none. */
export type ApplyArguments<A extends unknown[]> = [] extends A ? [args?: A] : [args: A]

type State = 'RUN' | 'CLOSE' | 'TERMINATE'

export class Pool {
  #state: State = 'RUN'
  readonly #engine: PoolEngine
  readonly #feeders = new Set<ImapFeeder>()

  /**
   * Starts a pool of worker processes. Python: `Pool(processes, initializer, initargs, maxtasksperchild)`.
   *
   * @param options - the number of worker processes, or {@link PoolOptions}.
   * @throws RangeError, TypeError for options that are out of range or of a wrong type; ConnectionError for an address
   *   of Redis that cannot be one. That Redis does not answer shows in the calls, within 5 s.
   */
  constructor(options?: number | PoolOptions) {
    const parsed = parsePoolOptions(options, this.threads)
    refuseInWorkerModule()
    this.#engine = new PoolEngine(parsed)
    watchPool(this, this.#engine)
  }

  /** @internal */
  protected get threads(): boolean {
    return false
  }

  /**
   * Runs a task once on one worker, and gives its result. Python: `apply(func, args, kwds)`.
   *
   * @param task - a task made by `defineTasks` or `taskRefs`.
   * @param args - its arguments.
   * @param kwds - an object that is passed as one more, last argument: Python's keyword arguments.
   * @throws PoolStateError at the call when the pool is closed or terminated. The promise rejects with the task's error.
   */
  apply<A extends unknown[], R>(task: TaskRef<(...args: A) => R>, ...call: ApplyArguments<A>): Promise<Awaited<R>>
  apply<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    args: A,
    kwds: undefined,
    options: ApplyOptions,
  ): Promise<Awaited<R>>
  apply<A extends unknown[], K extends object, R>(
    task: TaskRef<(...args: [...args: A, kwds: K]) => R>,
    args: A,
    kwds: K,
    options?: ApplyOptions,
  ): Promise<Awaited<R>>
  apply(task: TaskRef<TaskFunction>, args?: unknown[], kwds?: object, options?: ApplyOptions): Promise<unknown> {
    return this.#apply('apply', task, args, kwds, options).get()
  }

  /**
   * As `apply`, without waiting. Python: `apply_async(func, args, kwds, callback, error_callback)`.
   *
   * @param options - `callback`, `errorCallback`, and {@link ApplyOptions}.
   */
  applyAsync<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    ...call: ApplyArguments<A>
  ): AsyncResult<Awaited<R>>
  applyAsync<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    args: A,
    kwds: undefined,
    options: ApplyAsyncOptions<NoInfer<Awaited<R>>>,
  ): AsyncResult<Awaited<R>>
  applyAsync<A extends unknown[], K extends object, R>(
    task: TaskRef<(...args: [...args: A, kwds: K]) => R>,
    args: A,
    kwds: K,
    options?: ApplyAsyncOptions<NoInfer<Awaited<R>>>,
  ): AsyncResult<Awaited<R>>
  applyAsync(
    task: TaskRef<TaskFunction>,
    args?: unknown[],
    kwds?: object,
    options?: ApplyAsyncOptions<never>,
  ): AsyncResult<unknown> {
    return this.#apply('applyAsync', task, args, kwds, options)
  }

  /**
   * Applies a task to each item, on all workers; gives the results in input order. Python:
   * `map(func, iterable, chunksize)`. The input is read whole at the call. When an item fails, the rest of its chunk does not run, all other
   * chunks do, and the promise rejects with the first error in time, when all chunks have ended.
   *
   * @param items - any iterable; for async ones and for inputs that do not fit in memory there is {@link Pool.imap}.
   * @param options - the chunk size, or {@link MapOptions}.
   * @throws PoolStateError at the call when the pool is closed or terminated; TypeError, RangeError for wrong arguments.
   */
  map<T, R>(
    task: TaskRef<(item: T) => R>,
    items: Iterable<NoInfer<T>>,
    options?: number | MapOptions,
  ): Promise<Awaited<R>[]> {
    return this.#map('map', task, items, options).get() as Promise<Awaited<R>[]>
  }

  /** As {@link Pool.map}, without waiting. Python: `map_async(func, iterable, chunksize, callback, error_callback)`. */
  mapAsync<T, R>(
    task: TaskRef<(item: T) => R>,
    items: Iterable<NoInfer<T>>,
    options?: number | MapAsyncOptions<NoInfer<Awaited<R>>[]>,
  ): AsyncResult<Awaited<R>[]> {
    return this.#map('mapAsync', task, items, options) as AsyncResult<Awaited<R>[]>
  }

  /** As {@link Pool.map}, with items that are argument lists. Python: `starmap(func, iterable, chunksize)`. */
  starmap<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    items: Iterable<Readonly<NoInfer<A>>>,
    options?: number | MapOptions,
  ): Promise<Awaited<R>[]> {
    return this.#map('starmap', task, items, options).get() as Promise<Awaited<R>[]>
  }

  /** As {@link Pool.starmap}, without waiting. Python: `starmap_async(…)`. */
  starmapAsync<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    items: Iterable<Readonly<NoInfer<A>>>,
    options?: number | MapAsyncOptions<NoInfer<Awaited<R>>[]>,
  ): AsyncResult<Awaited<R>[]> {
    return this.#map('starmapAsync', task, items, options) as AsyncResult<Awaited<R>[]>
  }

  /**
   * The results of a task for each item, one by one in input order, while the input is still being read. Python:
   * `imap(func, iterable, chunksize)`. A failed item rejects the `next()` whose turn it is, and iteration can go on.
   *
   * @param items - any iterable or async iterable, also an endless one: it is read no further than `bufferSize` allows.
   * @param options - the chunk size, or {@link ImapOptions}.
   */
  imap<T, R>(
    task: TaskRef<(item: T) => R>,
    items: Iterable<NoInfer<T>> | AsyncIterable<NoInfer<T>>,
    options?: number | 'auto' | ImapOptions,
  ): ImapResults<Awaited<R>> {
    return this.#imap('imap', task, items, options)
  }

  /** As {@link Pool.imap}, in the order of completion. Python: `imap_unordered(func, iterable, chunksize)`. */
  imapUnordered<T, R>(
    task: TaskRef<(item: T) => R>,
    items: Iterable<NoInfer<T>> | AsyncIterable<NoInfer<T>>,
    options?: number | 'auto' | ImapOptions,
  ): ImapResults<Awaited<R>> {
    return this.#imap('imapUnordered', task, items, options)
  }

  /** {@link Pool.imap} with items that are argument lists. Python has no such method; it is often asked for. */
  istarmap<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    items: Iterable<Readonly<NoInfer<A>>> | AsyncIterable<Readonly<NoInfer<A>>>,
    options?: number | 'auto' | ImapOptions,
  ): ImapResults<Awaited<R>> {
    return this.#imap('istarmap', task, items, options)
  }

  /** {@link Pool.imapUnordered} with items that are argument lists. */
  istarmapUnordered<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    items: Iterable<Readonly<NoInfer<A>>> | AsyncIterable<Readonly<NoInfer<A>>>,
    options?: number | 'auto' | ImapOptions,
  ): ImapResults<Awaited<R>> {
    return this.#imap('istarmapUnordered', task, items, options)
  }

  /** No more work is taken; what was submitted still runs. Python: `close()`. */
  close(): void {
    if (this.#state !== 'RUN') return
    this.#state = 'CLOSE'
    for (const feeder of this.#feeders) feeder.closed()
  }

  /**
   * Waits until all work is done and the worker processes have ended. Python: `join()`.
   *
   * @throws PoolStateError at the call while the pool is running: call `close()` or `terminate()` first.
   */
  join(): Promise<void> {
    if (this.#state === 'RUN') throw new PoolStateError('Pool is still running')
    return this.#join()
  }

  /**
   * Stops at once: waiting chunks are removed, running tasks are stopped, pending results reject with
   * PoolTerminatedError. Python: `terminate()`. Resolves when the worker processes have ended.
   */
  terminate(): Promise<void> {
    this.#state = 'TERMINATE'
    for (const feeder of this.#feeders) feeder.stop()
    this.#engine.failAll(new PoolTerminatedError())
    forgetPool(this.#engine)
    return this.#engine.shutdown('stop')
  }

  /** The pool's work in chunks, and how many do it: of a named pool, everybody's. @throws ConnectionError when Redis is not to be had. */
  async stats(): Promise<PoolStats> {
    return await this.#engine.look((view) => view.stats())
  }

  /** The hosts that serve the pool; of a private pool, its own supervisor. @throws ConnectionError when Redis is not to be had. */
  async hosts(): Promise<HostInfo[]> {
    return await this.#engine.look((view) => view.hosts())
  }

  /**
   * The open calls of the pool, oldest first: of a named pool, those of all its producers that answer within a second.
   *
   * @throws ConnectionError when Redis is not to be had.
   */
  async calls(): Promise<CallInfo[]> {
    return await this.#engine.look(async (view) => (await view.calls()).calls)
  }

  /** `await using`: terminates the pool, as Python's `with` does, unless it was closed: then its work is waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    await (this.#state === 'CLOSE' ? this.join() : this.terminate())
  }

  toString(): string {
    return `<${this.constructor.name} state=${this.#state} pool_size=${this.#engine.size}>`
  }

  async #join(): Promise<void> {
    for (const feeder of this.#feeders) feeder.joined()
    await this.#engine.calls.idle()
    forgetPool(this.#engine)
    await this.#engine.shutdown('drain')
  }

  #checkRunning(): void {
    if (this.#state !== 'RUN') throw new PoolStateError('Pool not running')
  }

  #apply(
    method: string,
    task: TaskRef<TaskFunction>,
    args: unknown[] = [],
    kwds: object | undefined,
    given: ApplyAsyncOptions<never> | undefined,
  ): AsyncResult<unknown> {
    this.#checkRunning()
    const info = taskInfo(task)
    if (!Array.isArray(args)) throw new TypeError(`args must be an array of arguments, got ${describe(args)}`)
    if (kwds !== undefined && (typeof kwds !== 'object' || kwds === null)) {
      throw new TypeError(`kwds must be an object, got ${describe(kwds)}`)
    }
    const options = parseCallOptions(method, given)
    const chunk = encodeCall(kwds === undefined ? args : [...args, kwds])
    const callback = options.callback as ((value: unknown) => unknown) | undefined
    const one = { ...options, callback: callback && (([value]: unknown[]) => callback(value)) }
    const kind = { method, mode: 'each', spread: true } as const
    return startMap(this, this.#engine, info, kind, [chunk], one as ParsedOptions, ([value]) => value)
  }

  #map(
    method: string,
    task: TaskRef<TaskFunction>,
    items: Iterable<unknown>,
    given: number | MapAsyncOptions<never> | undefined,
  ): AsyncResult<unknown[]> {
    this.#checkRunning()
    const info = taskInfo(task)
    const input = toArray(method, items)
    const options = parseCallOptions(method, given)
    const size = (options.chunkSize as number | undefined) ?? defaultChunkSize(input.length, this.#engine.workers)
    const chunks = []
    for (let i = 0; i < input.length; i += size) chunks.push(encodeChunk(input.slice(i, i + size), 'items', i))
    const kind = { method, mode: 'first', spread: method.startsWith('star') } as const
    return startMap(this, this.#engine, info, kind, chunks, options, (values) => values)
  }

  #imap<R>(
    method: string,
    task: TaskRef<TaskFunction>,
    items: Iterable<unknown> | AsyncIterable<unknown>,
    given: number | 'auto' | ImapOptions | undefined,
  ): ImapResults<R> {
    this.#checkRunning()
    const info = taskInfo(task)
    const options = parseCallOptions(method, given)
    const input = toInput(method, items)
    const kind = { method, spread: method.startsWith('istar'), ordered: !method.endsWith('Unordered') }
    return startImap(this, this.#engine, info, kind, input, options, this.#feeders)
  }
}

/** A worker imports the module that defines its tasks; if that made a pool, its workers would make pools in turn. */
function refuseInWorkerModule(): void {
  if (!isWorker() || currentTask() !== undefined) return
  throw new NestedPoolError(
    'a Pool was made by a module that worker processes import, outside of a task: define tasks in a module of their ' +
      'own, or make the Pool only where isWorker() is false. Where a bundler has put both into one file, let it keep ' +
      'the task module apart: an entry of its own, with code splitting',
  )
}

/** The whole input, read now: later changes of it are not seen. */
function toArray(method: string, items: unknown): unknown[] {
  if (Array.isArray(items)) return items
  if (typeof (items as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] === 'function') {
    return Array.from(items as Iterable<unknown>)
  }
  throw new TypeError(`${method}: items must be iterable, got ${describe(items)}`)
}

function toInput(method: string, items: unknown): Iterable<unknown> | AsyncIterable<unknown> {
  const input = items as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined
  if (typeof input?.[Symbol.asyncIterator] === 'function' || typeof input?.[Symbol.iterator] === 'function') {
    return input as Iterable<unknown>
  }
  throw new TypeError(`${method}: items must be iterable or async iterable, got ${describe(items)}`)
}
