/** Runs one task once, by the code of a worker process, for tests of what it asks of `currentTask()`. */
import {
  Deferred,
  decodeError,
  decodeList,
  describe,
  formatChunk,
  knownOptions,
  type OutcomeEntry,
  randomId,
  type TaskFunction,
  type TaskRef,
  TaskTimeoutError,
  taskInfo,
  wholeNumber,
} from '@poolmq/shared'
import { Deadline, LoopClock, lateGrace, RunningChunk, runInline, type SentChunk } from '@poolmq/worker/inline'
import { type CallOptions, callHeader, parseCallOptions } from '../call-options.js'
import { encodeCall, sharedIn } from '../calls/chunker.js'

/** What a task that is run alone is told of itself, and how it is run. */
export interface RunTaskOptions extends Pick<CallOptions, 'timeout' | 'retries' | 'retryDelay' | 'retryIf'> {
  /** What `currentTask().attempt` is at first: a whole number of at least 1; more after each retry. @defaultValue 1 */
  readonly attempt?: number | undefined
  /** What `currentTask().index` is: a whole number. @defaultValue 0 */
  readonly index?: number | undefined
  /** What `currentTask().pool` is. @defaultValue 'test' */
  readonly pool?: string | undefined
  /**
   * Aborts `currentTask().signal`, with its own reason, as a cancelled call does. The task is waited for, and what it then
   * returns or throws is the outcome here; of a pool's call nobody would see it.
   */
  readonly signal?: AbortSignal | undefined
}

/** What of these `apply` knows as well. */
const ofCalls = ['timeout', 'retries', 'retryDelay', 'retryIf', 'signal'] as const

/**
 * Runs a task once in this process, with a `currentTask()` of its own that is fresh for each run. Arguments, result and error
 * are encoded and decoded, as on their way to a worker process and back: what cannot travel fails with the same
 * EncodingError, and an error arrives as the caller of a pool gets it. No pool, no queue, no initializer.
 *
 * @param task - a task made by `defineTasks` in a module that this process has loaded; of `taskRefs`, one that is defined too.
 * @param args - its arguments.
 * @param options - {@link RunTaskOptions}.
 * @returns a promise of its result, that rejects with its error, and with TypeError or RangeError for wrong arguments. A
 *   task that is over its `timeout` and does not end within a second rejects with TaskTimeoutError, and goes on.
 */
export function runTask<A extends unknown[], R>(
  task: TaskRef<(...args: A) => R>,
  ...call: [] extends A ? [args?: A, options?: RunTaskOptions] : [args: A, options?: RunTaskOptions]
): Promise<Awaited<R>>
export async function runTask(
  task: TaskRef<TaskFunction>,
  args: readonly unknown[] = [],
  options: RunTaskOptions = {},
): Promise<unknown> {
  const { id, version } = taskInfo(task)
  if (!Array.isArray(args)) throw new TypeError(`args must be an array of arguments, got ${describe(args)}`)
  const { attempt = 1, index = 0, pool = 'test', signal } = options
  knownOptions('runTask', options, [...ofCalls, 'attempt', 'index', 'pool'])
  wholeNumber('attempt', attempt, 1)
  wholeNumber('index', index, 0)
  const given = Object.fromEntries(ofCalls.filter((name) => name in options).map((name) => [name, options[name]]))
  const header = callHeader(parseCallOptions('apply', given), 'each', true, false, undefined, undefined, version)
  const { payload, failures } = encodeCall(args)
  if (payload === undefined) throw failures.get(0)
  const shared = sharedIn(payload)
  const data = formatChunk(header, payload, { first: index }, shared)
  const jobId = `${randomId()}.0.0`
  const item = new TestedItem(pool, id, jobId, signal)
  return resultOf(await runItem({ jobId, taskId: id, data, parts: undefined, shared }, item, attempt - 1, signal))
}

/** The item, whose signal is there from the beginning. */
class TestedItem extends RunningChunk {
  readonly #given: AbortSignal | undefined

  constructor(pool: string, taskId: string, jobId: string, given: AbortSignal | undefined) {
    super(pool, taskId, jobId)
    this.#given = given
  }

  override start(offset: number): void {
    super.start(offset)
    // Made now: else an abort that comes before the task asks for it would be lost.
    if (this.signal !== undefined && this.#given?.aborted === true) this.abortItem(this.#given.reason)
  }
}

async function runItem(
  sent: SentChunk,
  running: RunningChunk,
  earlier: number,
  signal: AbortSignal | undefined,
): Promise<OutcomeEntry> {
  const losses = { unknown: earlier, shared: 0, careful: false, giveUp: () => undefined }
  const deadline = new Deadline()
  const late = new Deferred<OutcomeEntry>()
  const tellItem = (_: number, limit: number) => {
    if (limit === 0) deadline.clear()
    else deadline.set(limit + lateGrace, () => late.resolve(lateEntry(sent, running.index, limit)))
  }
  const abort = () => running.abortItem(signal?.reason)
  signal?.addEventListener('abort', abort)
  try {
    return await Promise.race([
      runInline({ sent, running, losses, tellItem, clock: new LoopClock(undefined) }),
      late.promise,
    ])
  } finally {
    deadline.clear()
    signal?.removeEventListener('abort', abort)
  }
}

/** What a supervisor makes of a task that it had to end. */
function lateEntry({ jobId, taskId }: SentChunk, index: number, limit: number): OutcomeEntry {
  const message = `the task ${taskId} ran for more than ${limit} ms and did not end when asked to`
  return { jobId, outcome: new TaskTimeoutError(message, { timeout: limit, index }) }
}

function resultOf({ outcome }: OutcomeEntry): unknown {
  if (outcome instanceof Error) throw outcome
  const [failure] = outcome.failures
  if (failure !== undefined) throw decodeError(failure[1])
  return decodeList(outcome.payload)[0]
}
