/**
 * `Pool`: the surface of Python's `multiprocessing.pool.Pool`. It keeps Python's states and the order of its checks, and
 * leaves the work to pool-engine.ts. What a check finds is thrown at the call by the methods that give a handle or an
 * iterator; those that give a promise reject, whatever it is.
 *
 *   map(task, items)
 *     → chunker: chunks, each encoded once        → pool-engine: an open call, its chunks
 *     → submitter: batches into BullMQ            → … a worker process, on any host …
 *     → result-reader: outcomes from the stream   → collector: the call's value → callbacks → AsyncResult
 */
import { isWorker, NestedPoolError, PoolStateError, type TaskFunction, type TaskRef, taskInfo } from '@poolmq/shared'
import { type CallInfo, currentTask, type HostInfo, type PoolStats } from '@poolmq/worker'
import { parseApply, parseMap, toArray, toInput } from './call-arguments.js'
import {
  type ApplyAsyncOptions,
  type ApplyOptions,
  type DurableOptions,
  durableKey,
  type ImapOptions,
  type Kwds,
  type MapAsyncOptions,
  type MapOptions,
  type OptionsInPlaceOfKwds,
  type ParsedOptions,
  parseCallOptions,
} from './call-options.js'
import type { AsyncResult } from './calls/async-result.js'
import { defaultChunkSize, evenChunkSize, fittingChunkSize } from './calls/chunker.js'
import { startImap } from './calls/imap-call.js'
import type { ImapFeeder } from './calls/imap-feeder.js'
import type { ImapResults } from './calls/imap-iterator.js'
import { startMap } from './calls/map-call.js'
import { applyInput, mapInput } from './calls/map-input.js'
import { shareable } from './calls/shared-input.js'
import { outsideOf } from './calls/user-code.js'
import type { DurableResult } from './durable/durable-result.js'
import { attachDurable, startDurable } from './durable/start-durable.js'
import { backendOf } from './engine/backend.js'
import { PoolEngine } from './engine/pool-engine.js'
import { forgetPool, watchPool } from './engine/unclosed-pools.js'
import { type PoolOptions, parsePoolOptions } from './pool-options.js'
import { type Sharable, type SharableArguments, type SharedValue, sharedValue } from './shared-value.js'

/** Arguments of a task in `apply`: may be left out when the task needs none. */
export type ApplyArguments<A extends unknown[]> = [] extends A
  ? [args?: SharableArguments<A>]
  : [args: SharableArguments<A>]

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
  constructor(options?: number | PoolOptions)
  constructor(options?: number | PoolOptions, ...extra: unknown[]) {
    if (extra.length > 0) {
      const { name } = this.constructor
      const form = `new ${name}({ processes, initializer, initArgs, maxTasksPerChild })`
      throw new TypeError(`${name} takes one argument, got ${extra.length + 1}; options go together: ${form}`)
    }
    const parsed = parsePoolOptions(options, this.threads)
    refuseInWorkerModule()
    this.#engine = new PoolEngine(parsed, backendOf(new.target))
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
   * @param kwds - an object that is passed as one more, last argument: Python's keyword arguments. One whose keys are all
   *   names of options is taken for options in the wrong place, and refused, unless options follow.
   * @param options - {@link ApplyOptions}.
   * @returns a promise that rejects with the task's error; with PoolStateError when the pool is closed or terminated, with
   *   TypeError or RangeError for wrong arguments. It never throws at the call.
   */
  apply<A extends unknown[], R>(task: TaskRef<(...args: A) => R>, ...call: ApplyArguments<A>): Promise<Awaited<R>>
  apply<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    args: SharableArguments<A>,
    kwds: undefined,
    options: ApplyOptions,
  ): Promise<Awaited<R>>
  apply<A extends unknown[], K extends object, R>(
    task: TaskRef<(...args: [...args: A, kwds: K]) => R>,
    args: SharableArguments<A>,
    kwds: K extends Kwds<K> ? K : OptionsInPlaceOfKwds,
  ): Promise<Awaited<R>>
  apply<A extends unknown[], K extends object, R>(
    task: TaskRef<(...args: [...args: A, kwds: K]) => R>,
    args: SharableArguments<A>,
    kwds: K,
    options: ApplyOptions,
  ): Promise<Awaited<R>>
  async apply(task: TaskRef<TaskFunction>, ...call: unknown[]): Promise<unknown> {
    return this.#apply('apply', task, call).get()
  }

  /**
   * As `apply`, without waiting. Python: `apply_async(func, args, kwds, callback, error_callback)`.
   *
   * @param options - `callback`, `errorCallback`, and {@link ApplyOptions}.
   * @throws at the call: PoolStateError when the pool is closed or terminated, TypeError, RangeError for wrong arguments.
   */
  applyAsync<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    args: SharableArguments<A>,
    kwds: object | undefined,
    options: ApplyAsyncOptions<NoInfer<Awaited<R>>> & DurableOptions,
  ): DurableResult<Awaited<R>>
  applyAsync<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    ...call: ApplyArguments<A>
  ): AsyncResult<Awaited<R>>
  applyAsync<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    args: SharableArguments<A>,
    kwds: undefined,
    options: ApplyAsyncOptions<NoInfer<Awaited<R>>>,
  ): AsyncResult<Awaited<R>>
  applyAsync<A extends unknown[], K extends object, R>(
    task: TaskRef<(...args: [...args: A, kwds: K]) => R>,
    args: SharableArguments<A>,
    kwds: K extends Kwds<K> ? K : OptionsInPlaceOfKwds,
  ): AsyncResult<Awaited<R>>
  applyAsync<A extends unknown[], K extends object, R>(
    task: TaskRef<(...args: [...args: A, kwds: K]) => R>,
    args: SharableArguments<A>,
    kwds: K,
    options: ApplyAsyncOptions<NoInfer<Awaited<R>>>,
  ): AsyncResult<Awaited<R>>
  applyAsync(task: TaskRef<TaskFunction>, ...call: unknown[]): AsyncResult<unknown> {
    return this.#apply('applyAsync', task, call)
  }

  /**
   * Applies a task to each item, on all workers; gives the results in input order. Python:
   * `map(func, iterable, chunksize)`. The input is read whole at the call. When an item fails, the rest of its chunk does not run, all other
   * chunks do, and the promise rejects with the first error in time, when all chunks have ended.
   *
   * @param items - any iterable; for async ones and for inputs that do not fit in memory there is {@link Pool.imap}.
   * @param options - the chunk size, or {@link MapOptions}.
   * @returns a promise that rejects with the first error; with PoolStateError when the pool is closed or terminated, with
   *   TypeError or RangeError for wrong arguments, with what the input throws. It never throws at the call.
   */
  map<T, R>(
    task: TaskRef<(item: T) => R>,
    items: Iterable<Sharable<NoInfer<T>>>,
    options?: number | MapOptions,
  ): Promise<Awaited<R>[]>
  async map(task: TaskRef<TaskFunction>, ...call: unknown[]): Promise<unknown[]> {
    return this.#map('map', task, call).get()
  }

  /**
   * As {@link Pool.map}, without waiting. Python: `map_async(func, iterable, chunksize, callback, error_callback)`.
   *
   * @throws at the call: PoolStateError when the pool is closed or terminated, TypeError, RangeError for wrong arguments,
   *   what the input throws.
   */
  mapAsync<T, R>(
    task: TaskRef<(item: T) => R>,
    items: Iterable<Sharable<NoInfer<T>>>,
    options: MapAsyncOptions<NoInfer<Awaited<R>>[]> & DurableOptions,
  ): DurableResult<Awaited<R>[], Awaited<R>>
  mapAsync<T, R>(
    task: TaskRef<(item: T) => R>,
    items: Iterable<Sharable<NoInfer<T>>>,
    options?: number | MapAsyncOptions<NoInfer<Awaited<R>>[]>,
  ): AsyncResult<Awaited<R>[]>
  mapAsync(task: TaskRef<TaskFunction>, ...call: unknown[]): AsyncResult<unknown[]> {
    return this.#map('mapAsync', task, call)
  }

  /** As {@link Pool.map}, with items that are argument lists. Python: `starmap(func, iterable, chunksize)`. */
  starmap<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    items: Iterable<NoInfer<Readonly<SharableArguments<A>>>>,
    options?: number | MapOptions,
  ): Promise<Awaited<R>[]>
  async starmap(task: TaskRef<TaskFunction>, ...call: unknown[]): Promise<unknown[]> {
    return this.#map('starmap', task, call).get()
  }

  /** As {@link Pool.starmap}, without waiting; throws at the call as `mapAsync` does. Python: `starmap_async(…)`. */
  starmapAsync<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    items: Iterable<NoInfer<Readonly<SharableArguments<A>>>>,
    options: MapAsyncOptions<NoInfer<Awaited<R>>[]> & DurableOptions,
  ): DurableResult<Awaited<R>[], Awaited<R>>
  starmapAsync<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    items: Iterable<NoInfer<Readonly<SharableArguments<A>>>>,
    options?: number | MapAsyncOptions<NoInfer<Awaited<R>>[]>,
  ): AsyncResult<Awaited<R>[]>
  starmapAsync(task: TaskRef<TaskFunction>, ...call: unknown[]): AsyncResult<unknown[]> {
    return this.#map('starmapAsync', task, call)
  }

  /**
   * The results of a task for each item, one by one in input order, while the input is still being read. Python:
   * `imap(func, iterable, chunksize)`. A failed item rejects the `next()` whose turn it is, and iteration can go on.
   *
   * @param items - any iterable or async iterable, also an endless one: it is read no further than `bufferSize` allows.
   * @param options - the chunk size, or {@link ImapOptions}.
   * @throws at the call: PoolStateError when the pool is closed or terminated, TypeError, RangeError for wrong arguments.
   */
  imap<T, R>(
    task: TaskRef<(item: T) => R>,
    items: Iterable<Sharable<NoInfer<T>>> | AsyncIterable<Sharable<NoInfer<T>>>,
    options?: number | 'auto' | ImapOptions,
  ): ImapResults<Awaited<R>>
  imap(task: TaskRef<TaskFunction>, ...call: unknown[]): ImapResults<unknown> {
    return this.#imap('imap', task, call)
  }

  /** As {@link Pool.imap}, in the order of completion. Python: `imap_unordered(func, iterable, chunksize)`. */
  imapUnordered<T, R>(
    task: TaskRef<(item: T) => R>,
    items: Iterable<Sharable<NoInfer<T>>> | AsyncIterable<Sharable<NoInfer<T>>>,
    options?: number | 'auto' | ImapOptions,
  ): ImapResults<Awaited<R>>
  imapUnordered(task: TaskRef<TaskFunction>, ...call: unknown[]): ImapResults<unknown> {
    return this.#imap('imapUnordered', task, call)
  }

  /**
   * Finds a durable call, in whatever process of the pool it was made: see {@link DurableOptions}. Python has no counterpart.
   *
   * @typeParam T - what the call yields, as the type of its result is known only where it was made
   * @param key - its key
   * @returns a handle that rejects with NoDurableCallError when there is no such call, with DurableLostError when Redis has lost
   *   items of it.
   * @throws at the call: TypeError when the pool is private, PoolStateError when it is closed or terminated.
   */
  attach<T = unknown>(key: string): DurableResult<T, T extends readonly (infer I)[] ? I : T>
  attach(key: string, ...given: unknown[]): DurableResult<unknown> {
    this.#checkRunning()
    if (given.length > 0) {
      throw new TypeError('attach takes a key and nothing else; options of the call are those that it was begun with')
    }
    return attachDurable(this, this.#engine, durableKey(key))
  }

  /** {@link Pool.imap} with items that are argument lists. Python has no such method; it is often asked for. */
  istarmap<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    items: Iterable<NoInfer<Readonly<SharableArguments<A>>>> | AsyncIterable<NoInfer<Readonly<SharableArguments<A>>>>,
    options?: number | 'auto' | ImapOptions,
  ): ImapResults<Awaited<R>>
  istarmap(task: TaskRef<TaskFunction>, ...call: unknown[]): ImapResults<unknown> {
    return this.#imap('istarmap', task, call)
  }

  /** {@link Pool.imapUnordered} with items that are argument lists. */
  istarmapUnordered<A extends unknown[], R>(
    task: TaskRef<(...args: A) => R>,
    items: Iterable<NoInfer<Readonly<SharableArguments<A>>>> | AsyncIterable<NoInfer<Readonly<SharableArguments<A>>>>,
    options?: number | 'auto' | ImapOptions,
  ): ImapResults<Awaited<R>>
  istarmapUnordered(task: TaskRef<TaskFunction>, ...call: unknown[]): ImapResults<unknown> {
    return this.#imap('istarmapUnordered', task, call)
  }

  /**
   * Sends a value once, for any number of calls: what it gives stands for the value in arguments and items, anywhere in them, and in
   * `initArgs`. Each host that runs such a call fetches it once, each worker process decodes it once, and every task is given that one
   * object: it must not be changed. Python has no counterpart; its nearest relative is an initializer that sets a global.
   *
   * It is in Redis while this pool, or another that shares the same value under the same name, is there, or a durable call that holds it runs;
   * what Redis loses is sent again, so it is kept here as it was encoded. {@link SharedValue.release} ends that earlier.
   *
   * @param value - whatever an argument may be: it is encoded now.
   * @returns a promise that rejects with EncodingError for what cannot be encoded, with PoolStateError when the pool is closed or
   *   terminated, with ConnectionError when Redis is not to be had.
   * @example
   * ```ts
   * const model = await pool.share(await readFile('model.bin'))
   * const scores = await pool.starmap(tasks.score, rows.map((row) => [model, row]))
   * ```
   */
  async share<T>(value: T): Promise<SharedValue<T>> {
    this.#checkRunning()
    const content = shareable(value, 'value')
    await this.#engine.share(content)
    return sharedValue<T>(content, () => this.#engine.unshare(content.hash))
  }

  /** No more work is taken; what was submitted still runs. Python: `close()`. */
  close(): void {
    if (this.#stateNow !== 'RUN') return
    this.#state = 'CLOSE'
    for (const feeder of this.#feeders) feeder.closed()
  }

  /**
   * Waits until all work is done and the worker processes have ended. Python: `join()`.
   *
   * @returns a promise that rejects with PoolStateError while the pool is running: call `close()` or `terminate()` first.
   *   In a callback of the pool that waits for it, it rejects with NestedPoolError when only that callback is left.
   */
  join(): Promise<void>
  async join(...given: unknown[]): Promise<void> {
    if (this.#stateNow === 'RUN') throw new PoolStateError('Pool is still running')
    if (given.length > 0) throw new TypeError('join takes no argument; to end the work after a time, call terminate()')
    for (const feeder of this.#feeders) feeder.joined()
    const { calls } = this.#engine
    await outsideOf(this.#engine, 'join()', () => calls.areWithUser, calls.idle())
    await this.#engine.durables.idle()
    forgetPool(this.#engine)
    await this.#engine.shutdown('drain')
  }

  /**
   * Stops at once: waiting chunks are removed, running tasks are stopped, pending results reject with
   * PoolTerminatedError. Python: `terminate()`. Resolves when the worker processes have ended.
   */
  async terminate(): Promise<void> {
    this.#state = 'TERMINATE'
    for (const feeder of this.#feeders) feeder.stop()
    forgetPool(this.#engine)
    return this.#engine.terminate()
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
    return `<${this.constructor.name} state=${this.#stateNow} pool_size=${this.#engine.census.seen}>`
  }

  /** A pool that nobody has closed is terminated when the program has nothing left to do. */
  get #stateNow(): State {
    return this.#state === 'RUN' && this.#engine.isEnding ? 'TERMINATE' : this.#state
  }

  #checkRunning(): void {
    if (this.#stateNow === 'RUN') return
    const why = this.#state === 'RUN' ? ': it was terminated as the program had nothing left to do (`beforeExit`)' : ''
    throw new PoolStateError(`Pool not running${why}`)
  }

  #apply(method: string, task: TaskRef<TaskFunction>, call: readonly unknown[]): AsyncResult<unknown> {
    this.#checkRunning()
    const info = taskInfo(task)
    const { args, options: given } = parseApply(method, call)
    const options = parseCallOptions(method, given)
    const callback = options.callback as ((value: unknown) => unknown) | undefined
    const one = { ...options, callback: callback && (([value]: unknown[]) => callback(value)) }
    if (options.durable !== undefined) {
      const call = { task: info, form: 'apply', items: [args], fittingSize: 1, options: one as ParsedOptions } as const
      return startDurable(this, this.#engine, call)
    }
    const kind = { method, mode: 'each', spread: true } as const
    const input = applyInput(args, this.#engine.dispatch.watch)
    return startMap(this, this.#engine, info, kind, input, one as ParsedOptions, ([value]) => value)
  }

  #map(method: string, task: TaskRef<TaskFunction>, call: readonly unknown[]): AsyncResult<unknown[]> {
    this.#checkRunning()
    const info = taskInfo(task)
    const { items, options: given } = parseMap(method, call)
    const all = toArray(method, items)
    const options = parseCallOptions(method, given)
    const { census, dispatch } = this.#engine
    const usual = census.hasLanes ? evenChunkSize : defaultChunkSize
    const size =
      (options.chunkSize as number | undefined) ?? fittingChunkSize(all, census.workers, dispatch.budget.limit, usual)
    if (options.durable !== undefined) {
      const form = method === 'mapAsync' ? 'map' : 'starmap'
      const call = { task: info, form, items: all, fittingSize: Math.max(1, size), options } as const
      return startDurable(this, this.#engine, call) as AsyncResult<unknown[]>
    }
    const input = mapInput(all, size, dispatch.watch)
    const kind = { method, mode: 'first', spread: method.startsWith('star') } as const
    return startMap(this, this.#engine, info, kind, input, options, (values) => values)
  }

  #imap<R>(method: string, task: TaskRef<TaskFunction>, call: readonly unknown[]): ImapResults<R> {
    this.#checkRunning()
    const info = taskInfo(task)
    const { items, options: given } = parseMap(method, call)
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
