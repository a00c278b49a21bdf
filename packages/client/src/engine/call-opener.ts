/**
 * Opens calls: what their chunks carry, what watches them (a signal, a stopwatch, who is told of them), and who is refused. From
 * then on a call is one of the open calls; its chunks go by dispatch.
 */
import { type CallHeader, CancelledError, NestedPoolError, soon, startCallSpan, type TaskInfo } from '@poolmq/shared'
import { currentTask } from '@poolmq/worker'
import { callHeader, type ParsedOptions } from '../call-options.js'
import { Call, type Collector } from '../calls/call.js'
import type { DurableCalls } from '../durable/durable-calls.js'
import { type DurableObserver, observeDurable } from '../durable/durable-telemetry.js'
import type { PoolLog } from '../pool-logger.js'
import type { ReadingPace } from '../session/reading-pace.js'
import { type AbortSignalLike, watchAbort } from './abort-watch.js'
import type { EngineWorkers } from './backend.js'
import type { Breakdown } from './breakdown.js'
import { tellOfCall } from './call-telemetry.js'
import type { Census } from './census.js'
import type { OpenCalls } from './open-calls.js'
import type { Stragglers } from './stragglers.js'

/** How a method's chunks are to be run. */
export interface CallKind {
  /** The method that was called: for those who ask what is open. */
  readonly method: string
  readonly mode: 'first' | 'each'
  /** Items are argument lists. */
  readonly spread: boolean
}

/** The parts of a pool that an open call has to do with. */
export interface CallOpenerParts {
  readonly clientId: string
  /** The pool's name. */
  readonly pool: string
  /** Its chunks need a worker process with the pool's initializer, or its limits. */
  readonly hasSpec: boolean
  readonly local: EngineWorkers | undefined
  readonly calls: OpenCalls
  readonly durables: DurableCalls
  readonly census: Census
  readonly pace: ReadingPace
  readonly stragglers: Stragglers
  readonly breakdown: Breakdown
  readonly log: PoolLog
}

export class CallOpener {
  readonly #parts: CallOpenerParts
  #nextCall = 0

  constructor(parts: CallOpenerParts) {
    this.#parts = parts
  }

  /**
   * Opens a call. Its chunks are handed over to dispatch; whoever has all its results ends it, in the open calls.
   *
   * @throws NestedPoolError inside a task of this very pool.
   */
  open(owner: unknown, task: TaskInfo, kind: CallKind, options: ParsedOptions, collector: Collector): Call {
    this.#refuseNesting()
    const { clientId, pool, hasSpec, local, calls, census, pace, stragglers, breakdown, log } = this.#parts
    const module = local?.load(task)
    const span = startCallSpan(pool, kind.method, task.id)
    const header = callHeader(options, kind.mode, kind.spread, hasSpec, module, span?.carrier, task.version)
    const watched = options.backup === true ? stragglers.stopwatch(collector) : undefined
    const taker = watched ?? collector
    const call = new Call(owner, this.#nextCall++, kind.method, task.id, header, options.priority ?? 0, taker)
    if (watched !== undefined) stragglers.watch(call, watched)
    tellOfCall(call, pool, clientId, span, log)
    calls.add(call)
    if (kind.mode === 'each') pace.hurry()
    // A handle must exist before it can fail.
    const { reason } = breakdown
    if (reason !== undefined) soon(() => calls.fail(call, reason.error))
    else census.callOpened(() => calls.size > 0)
    if (options.signal !== undefined) this.#cancelOn(options.signal, call)
    return call
  }

  /**
   * What the chunks of a durable call carry, which run wherever the task is known, also when this process is gone; and who is told of it
   * here.
   *
   * @throws NestedPoolError inside a task of this very pool.
   */
  openDurable(
    task: TaskInfo,
    { method, spread }: Omit<CallKind, 'mode'>,
    options: ParsedOptions,
  ): { readonly header: CallHeader; readonly observer: DurableObserver | undefined } {
    this.#refuseNesting()
    const { pool, hasSpec, local, durables, census, log } = this.#parts
    local?.load(task)
    census.callOpened(() => durables.areOpen)
    const span = startCallSpan(pool, method, task.id)
    const header = callHeader(options, 'each', spread, hasSpec, undefined, span?.carrier, task.version)
    const about = { pool, method, task: task.id, durable: options.durable ?? '' }
    return { header, observer: observeDurable(about, span, log) }
  }

  /** A task that waits for its own pool would hold the seat that it waits for. */
  #refuseNesting(): void {
    const task = currentTask()
    if (task?.pool !== this.#parts.pool) return
    throw new NestedPoolError(
      `the task ${task.taskId} calls the pool ${task.pool} that runs it: it would wait for the worker process that it ` +
        'holds; use another pool, or let the producer make the second call',
    )
  }

  #cancelOn(signal: AbortSignalLike, call: Call): void {
    const cancel = () => {
      this.#parts.calls.fail(call, new CancelledError('The call was cancelled by its signal', { cause: signal.reason }))
    }
    if (signal.aborted) soon(cancel)
    else call.atEnd.push(watchAbort(signal, cancel))
  }
}
