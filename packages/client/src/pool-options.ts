/** The options of a Pool and of its calls, and their checks: Python's, in Python's order, and then ours. */
import {
  availableCores,
  buildId,
  ConnectionError,
  type ConnectionOption,
  describe,
  knownOptions,
  parseConnectionOption,
  poolName,
  shortName,
  type TaskFunction,
  type TaskRef,
  wholeNumber,
} from '@poolmq/shared'
import type { PoolEngineOptions } from './engine/pool-engine.js'
import type { PoolLogger } from './pool-logger.js'
import { parsePoolSpec } from './pool-spec.js'
import { smallestBudget } from './session/byte-budget.js'

/** Options of `new Pool(…)`. Python: `Pool(processes, initializer, initargs, maxtasksperchild)`. */
export interface PoolOptions {
  /**
   * Worker processes to run on this host: a whole number of at least 1; with a `name`, 0 is allowed.
   *
   * @defaultValue the number of cores; with a `name`, 0: work goes to the hosts that serve that name.
   */
  readonly processes?: number | undefined
  /**
   * Tasks at a time in each worker process: a whole number from 1 to 10000. More than one is for tasks that wait (for a
   * network, a disk, another process): they share the event loop of their process, and what its modules hold. A task that
   * computes keeps those beside it waiting. Python has no counterpart in `Pool`; its `ThreadPool` is {@link ThreadPool}.
   *
   * @defaultValue 1, which is right for tasks that compute
   */
  readonly concurrency?: number | undefined
  /**
   * A task that each worker process runs once, before its first chunk of this pool, to set up its state (a connection, a
   * model). Its result is ignored. Workers of a named pool may serve clients with other initializers: each finds its own
   * state, and clients whose initializer and `initArgs` are equal share processes. When it fails three times in a row, with
   * pauses of 0.3 and 1.2 s, and has never run, the pool's calls reject with `InitializerError`.
   *
   * @defaultValue none
   */
  readonly initializer?: TaskRef<TaskFunction> | undefined
  /** The arguments of the initializer. Large ones are fetched once by each host; they may hold {@link SharedValue}s. @defaultValue none */
  readonly initArgs?: readonly unknown[] | undefined
  /**
   * Chunks (not items) after which a worker process is replaced by a new one, to free what leaks. A whole number of at
   * least 1. Rule of thumb: so many that a process lives for minutes, since a start takes some 0.2 s.
   *
   * @defaultValue none: worker processes live as long as the pool
   */
  readonly maxTasksPerChild?: number | undefined
  /**
   * Bytes of resident memory above which a worker process is replaced, after the chunk in hand and when its successor
   * is ready. Of a worker thread it is its own heap and buffers. A whole number of at least 1. @defaultValue none
   */
  readonly maxMemoryPerChild?: number | undefined
  /** Milliseconds after which a worker process is replaced, in the same way. At least 1. @defaultValue none */
  readonly maxAgePerChild?: number | undefined
  /**
   * Joins the pool of this name, which `npx @poolmq/worker worker --pool NAME` serves on any host: 1 to 100 letters, digits, `_`,
   * `.`, `-`. @defaultValue a private pool
   */
  readonly name?: string | undefined
  /**
   * Where Redis is. A named pool without worker processes of its own needs one that its hosts reach, and is refused
   * without. @defaultValue `REDIS_URL`; else an embedded one: a `redis-server` or `valkey-server` on PATH
   */
  readonly connection?: ConnectionOption | undefined
  /**
   * Worker processes (or lanes, where hosts have several in each) to reckon with in the default chunk size while none has
   * been seen but the pool's own, for a named pool whose hosts are still starting. A whole number of at least 1.
   *
   * @defaultValue its own; 4 where it has none
   */
  readonly expectedWorkers?: number | undefined
  /**
   * Bytes that this pool's calls may have in Redis, about: payloads of chunks whose outcome is not there yet, or what their
   * outcomes take, where that is more. What does not fit waits in the producer, and of a large input it waits as it is: beyond some
   * 32 MiB, items are encoded when they are sent, as CPython does with all. Small calls do not wait for large ones, large ones
   * take turns; a single value that is larger than all goes alone. A whole number of at least 1048576, or `Infinity`. Several
   * producers that share a Redis have one bound each. Durable calls are not counted: all of them is to be in Redis.
   *
   * @defaultValue an eighth of Redis's `maxmemory`; 512 MiB where it has none
   */
  readonly maxBytes?: number | undefined
  /**
   * This producer's part of a named pool that it shares with others. What waits there is taken in turns, so that the run time that each
   * producer gets is proportional to its weight as long as it has chunks waiting; a priority is stronger. Producers with the
   * same `key` share one part, and wait for their turns in the order in which they called; their weights should be equal. `key` is 1 to 100
   * letters, digits, `_`, `.`, `-`; `weight` is a number from 0.01 to 100. A durable call is a producer of its own, with this weight.
   *
   * @defaultValue a part of its own, of weight 1
   */
  readonly share?: PoolShare | undefined
  /**
   * Where the pool logs: an object with `debug`, `info`, `warn` and `error`, each called as pino's are, with an object of
   * fields (`pool`, `client`, `call`, …) and a message. Calls are told at `debug`, a connection that is lost or back at
   * `warn` and `info`, a lost supervisor at `warn`, what ends the pool at `error`.
   *
   * @defaultValue none: silent, but for process warnings of what nobody should miss (no worker serves the pool, …)
   */
  readonly logger?: PoolLogger | undefined
}

/** A producer's part of a named pool. */
export interface PoolShare {
  /** Who has one part together: a user, a team, a service. @defaultValue this pool alone */
  readonly key?: string | undefined
  /** How many times as much as one of weight 1 it gets, from 0.01 to 100. @defaultValue 1 */
  readonly weight?: number | undefined
}

/** Options of `new ThreadPool(…)`. Python: `ThreadPool(processes, initializer, initargs)`. */
export interface ThreadPoolOptions extends Omit<PoolOptions, 'concurrency'> {
  /**
   * Tasks at a time on this host: a whole number of at least 1; with a `name`, 0 is allowed.
   *
   * @defaultValue the number of cores; with a `name`, 0
   */
  readonly processes?: number | undefined
  /**
   * Worker threads that these tasks run on: a whole number from 1 to `processes`. Tasks on one thread share its event loop,
   * so more of them help where tasks compute. @defaultValue as many as there are cores, at most `processes`
   */
  readonly threads?: number | undefined
}

/** Tasks at a time in one worker process: more are a mistake, or the work of more processes. */
const mostLanes = 10_000

const poolOptionNames = [
  'processes',
  'initializer',
  'initArgs',
  'maxTasksPerChild',
  'maxMemoryPerChild',
  'maxAgePerChild',
  'name',
  'connection',
  'expectedWorkers',
  'maxBytes',
  'share',
  'logger',
]

/**
 * @throws TypeError, RangeError in Python's order: processes, maxTasksPerChild, initializer; then our own options.
 * @throws ConnectionError for an address that cannot be one.
 */
export function parsePoolOptions(
  given: number | PoolOptions | ThreadPoolOptions | undefined,
  threads: boolean,
): PoolEngineOptions {
  const options: PoolOptions & ThreadPoolOptions =
    typeof given === 'object' && given !== null ? given : { processes: given }
  checkNames(options, threads)
  const processes = parseProcesses(options.processes as unknown, options.name)
  const { spec, shared } = parsePoolSpec(options)
  const { name, connection, expectedWorkers, maxBytes } = options
  const seats = threads
    ? { processes: parseThreads(options.threads, processes), lanes: processes }
    : { processes, lanes: processes * parseConcurrency(options.concurrency, processes) }
  const { kind } = parseConnectionOption(connection)
  const parsed = {
    name: name === undefined ? undefined : poolName(name),
    ...seats,
    threads,
    connection,
    spec,
    shared,
    logger: parseLogger(options.logger),
    build: processes === 0 ? undefined : parseBuild(process.env.POOLMQ_BUILD),
    expectedWorkers: expectedWorkers === undefined ? undefined : parseExpectedWorkers(expectedWorkers, name),
    maxBytes: maxBytes === undefined ? undefined : parseMaxBytes(maxBytes),
    share: options.share === undefined ? undefined : parseShare(options.share, name),
  }
  if (kind === 'embedded' && processes === 0) throw new ConnectionError(unreachable(name, 'connection' in options))
  return parsed
}

/** Its own worker processes are a host as any other, which says what it was built from. */
function parseBuild(given: string | undefined): string | undefined {
  return given === undefined ? undefined : buildId(given, 'the build id (POOLMQ_BUILD)')
}

function parseMaxBytes(maxBytes: unknown): number {
  return maxBytes === Number.POSITIVE_INFINITY ? maxBytes : wholeNumber('maxBytes', maxBytes, smallestBudget)
}

function parseExpectedWorkers(expectedWorkers: unknown, name: unknown): number {
  wholeNumber('expectedWorkers', expectedWorkers, 1)
  if (name !== undefined) return expectedWorkers as number
  throw new TypeError(
    'expectedWorkers has nothing to apply to: a private pool has no workers but its own; give the pool a name',
  )
}

const [leastWeight, mostWeight] = [0.01, 100]

function parseShare(share: unknown, name: unknown): PoolShare {
  if (typeof share !== 'object' || share === null || Array.isArray(share)) {
    throw new TypeError(`share must be an object with a key or a weight, got ${describe(share)}`)
  }
  knownOptions('share', share, ['key', 'weight'])
  if (name === undefined) {
    throw new TypeError('share has nothing to apply to: a private pool has one producer; give the pool a name')
  }
  const { key, weight } = share as PoolShare
  if (key !== undefined) shortName('share.key', key)
  if (weight !== undefined && typeof weight !== 'number') {
    throw new TypeError(`share.weight must be a number, got ${describe(weight)}`)
  }
  if (weight !== undefined && !(weight >= leastWeight && weight <= mostWeight)) {
    throw new RangeError(`share.weight must be from ${leastWeight} to ${mostWeight}, got ${weight}`)
  }
  return { key, weight }
}

function parseLogger(logger: unknown): PoolLogger | undefined {
  if (logger === undefined) return undefined
  const missing = (['debug', 'info', 'warn', 'error'] as const).filter(
    (level) => typeof (logger as Partial<PoolLogger> | null)?.[level] !== 'function',
  )
  if (missing.length === 0) return logger as PoolLogger
  throw new TypeError(
    `logger must have the methods debug, info, warn and error, got ${describe(logger)} without ${missing.join(', ')}`,
  )
}

/** What one of the two classes has and the other has not is told by name. */
function checkNames(options: object, threads: boolean): void {
  if (threads && 'concurrency' in options) {
    throw new TypeError('concurrency is an option of Pool; of a ThreadPool `processes` is how many tasks run at a time')
  }
  if (!threads && 'threads' in options) {
    throw new TypeError('threads is an option of ThreadPool; the workers of a Pool are processes')
  }
  knownOptions(threads ? 'ThreadPool' : 'Pool', options, [...poolOptionNames, threads ? 'threads' : 'concurrency'])
}

function parseConcurrency(concurrency: number | undefined, processes: number): number {
  if (concurrency === undefined) return 1
  wholeNumber('concurrency', concurrency, 1)
  if (concurrency > mostLanes) throw new RangeError(`concurrency must be at most ${mostLanes}, got ${concurrency}`)
  if (processes > 0) return concurrency
  throw new RangeError(
    `concurrency ${concurrency} has nothing to apply to: this pool has no worker process of its own; set processes, or ` +
      'start its hosts with poolmq worker --concurrency',
  )
}

function parseThreads(given: number | undefined, processes: number): number {
  const threads = given === undefined ? Math.min(processes, availableCores()) : wholeNumber('threads', given, 1)
  if (threads > processes) {
    throw new RangeError(`threads must be at most processes, which is ${processes} here, got ${threads}`)
  }
  if (processes > threads * mostLanes) {
    throw new RangeError(
      `${threads} threads run at most ${threads * mostLanes} tasks at a time, got processes: ${processes}`,
    )
  }
  return threads
}

function parseProcesses(processes: unknown, name: unknown): number {
  if (processes === undefined) return name === undefined ? availableCores() : 0
  if (typeof processes !== 'number' || (Number.isFinite(processes) && !Number.isInteger(processes))) {
    throw new TypeError(`processes must be a whole number, got ${describe(processes)}`)
  }
  const least = name === undefined ? 1 : 0
  if (!(processes >= least) || !Number.isSafeInteger(processes)) {
    throw new RangeError(`Number of processes must be at least ${least}, got ${processes}`)
  }
  return processes
}

/** As a rule the variable that was to say where Redis is was not set. */
function unreachable(name: unknown, isGiven: boolean): string {
  return (
    `the pool ${describe(name)} has no worker processes of its own, and no Redis that its hosts could reach: ` +
    `${isGiven ? 'connection is undefined' : 'no connection is given'} and REDIS_URL is ${process.env.REDIS_URL === undefined ? 'not set' : 'empty'}. ` +
    "Say where Redis is (connection: 'redis://host:6379', or REDIS_URL in the environment), or run worker processes " +
    'here (processes: 2)'
  )
}
