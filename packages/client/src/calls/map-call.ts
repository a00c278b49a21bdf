/** Starts a call that has one result: `apply`, `map`, `starmap` and their async forms. */
import { PoolTerminatedError, type TaskInfo } from '@poolmq/shared'
import type { ParsedOptions } from '../call-options.js'
import type { CallKind, PoolEngine } from '../engine/pool-engine.js'
import { AsyncResult } from './async-result.js'
import { type Callbacks, callBack, type Ending } from './callback-queue.js'
import type { EncodedChunk } from './chunker.js'
import { MapCollector } from './map-collector.js'
import { ProgressReporter } from './progress-reporter.js'

/** @param pick - makes the call's result of the values in input order */
export function startMap<T>(
  owner: unknown,
  engine: PoolEngine,
  task: TaskInfo,
  kind: CallKind,
  chunks: readonly EncodedChunk[],
  options: ParsedOptions,
  pick: (values: unknown[]) => T,
): AsyncResult<T> {
  const callbacks = options as Callbacks<unknown[]>
  const result = new AsyncResult<T>()
  /** What the callbacks have been told: that is how the call has ended, whatever happens while they run. */
  let told: Ending<unknown[]> | undefined
  const settle = (ending: Ending<unknown[]>) => {
    if (result.ready()) return
    if ('value' in ending) AsyncResult.fulfil(result, pick(ending.value))
    else AsyncResult.reject(result, ending.error)
    engine.calls.end(call)
  }
  const collector = new MapCollector<unknown>(chunks.length, (ending) => {
    // One of the callbacks is called, and once; when the pool is terminated none is, nor is one waited for.
    const isTerminated = 'error' in ending && ending.error instanceof PoolTerminatedError
    const none = callbacks.callback === undefined && callbacks.errorCallback === undefined
    if (none || isTerminated || told !== undefined) return settle(told ?? ending)
    engine.callbacks.run(() => {
      if (result.ready() || told !== undefined) return
      told = ending
      const called = callBack(ending, callbacks)
      return called instanceof Promise ? called.then(settle) : settle(called)
    })
  })
  const progress = new ProgressReporter(options.onProgress)
  progress.total = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const call = engine.call(owner, task, kind, options, progress.before(collector))
  call.total = progress.total
  if (chunks.length === 0) {
    if (callbacks.callback === undefined) settle({ value: [] })
    else queueMicrotask(() => collector.end())
  }
  for (const [index, chunk] of chunks.entries()) void engine.submit(call, index, chunk)
  return result
}
