/** Starts a call that has one result: `apply`, `map`, `starmap` and their async forms. */
import { attempt, PoolTerminatedError, soon, type TaskInfo } from '@poolmq/shared'
import type { ParsedOptions } from '../call-options.js'
import type { CallKind } from '../engine/call-opener.js'
import type { PoolEngine } from '../engine/pool-engine.js'
import { AsyncResult } from './async-result.js'
import type { LateChunks } from './backlog.js'
import { type Callbacks, callBack, type Ending } from './callback-queue.js'
import { MapCollector } from './map-collector.js'
import type { MapInput } from './map-input.js'
import { ProgressReporter } from './progress-reporter.js'
import { CallPlace, outsideOf } from './user-code.js'

/** @param pick - makes the call's result of the values in input order */
export function startMap<T>(
  owner: unknown,
  engine: PoolEngine,
  task: TaskInfo,
  kind: CallKind,
  input: MapInput,
  options: ParsedOptions,
  pick: (values: unknown[]) => T,
): AsyncResult<T> {
  const callbacks = options as Callbacks<unknown[]>
  const place = takesFunctions(options) ? new CallPlace() : undefined
  const hasCallbacks = callbacks.callback !== undefined || callbacks.errorCallback !== undefined
  /** All that the handle waits for is the user's code: its callback, or those before it. */
  let isCalledBack = false
  const result = new AsyncResult<T>(
    hasCallbacks ? (wait) => outsideOf(engine, 'a result', () => isCalledBack, wait) : undefined,
  )
  /** What the callbacks have been told: that is how the call has ended, whatever happens while they run. */
  let told: Ending<unknown[]> | undefined
  const settle = (ending: Ending<unknown[]>) => {
    if (result.ready()) return
    try {
      if ('value' in ending) AsyncResult.fulfil(result, pick(ending.value))
      else AsyncResult.reject(result, ending.error)
    } finally {
      engine.calls.end(call)
    }
  }
  const end = (ending: Ending<unknown[]>) => {
    // One of the callbacks is called, and once; when the pool is terminated none is, nor is one waited for.
    const isTerminated = 'error' in ending && attempt(() => ending.error instanceof PoolTerminatedError) === true
    if (place === undefined || !hasCallbacks || isTerminated || told !== undefined) return settle(told ?? ending)
    isCalledBack = true
    engine.callbacks.run(() => {
      if (result.ready() || told !== undefined) return
      told = ending
      const called = callBack(ending, callbacks, place, engine)
      return 'then' in called ? called.then(settle) : settle(called)
    })
  }
  const progress = new ProgressReporter(options.onProgress, place)
  const collector = new MapCollector<unknown>(input.chunks, (ending) => {
    if ('value' in ending) progress.beforeEnd(() => end(ending))
    else end(ending)
  })
  progress.total = input.items
  const call = engine.opener.open(owner, task, kind, options, progress.before(collector))
  call.total = progress.total
  call.isWithUser = () => isCalledBack
  if (input.chunks === 0) {
    if (callbacks.callback === undefined) settle({ value: [] })
    else soon(() => collector.end())
  }
  let handed = 0
  let late: LateChunks | undefined
  try {
    late = input.hand((chunk, index) => {
      handed++
      void engine.dispatch.submit(call, index, chunk)
    })
  } catch (error) {
    engine.calls.end(call) // nobody gets a handle of it
    throw error
  }
  if (late !== undefined) engine.dispatch.submitLate(call, handed, late)
  return result
}

function takesFunctions({ callback, errorCallback, onProgress }: ParsedOptions): boolean {
  return callback !== undefined || errorCallback !== undefined || onProgress !== undefined
}
