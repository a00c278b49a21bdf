/** Starts a durable call, or attaches to one: its handle, its callbacks, and what ends it. */
import {
  attempt,
  CancelledError,
  type DurableForm,
  EncodingError,
  PoolTerminatedError,
  soon,
  type TaskInfo,
} from '@poolmq/shared'
import type { ParsedOptions } from '../call-options.js'
import { AsyncResult } from '../calls/async-result.js'
import { type Callbacks, callBack, type Ending } from '../calls/callback-queue.js'
import { ProgressReporter } from '../calls/progress-reporter.js'
import { CallPlace, outsideOf } from '../calls/user-code.js'
import { watchAbort } from '../engine/abort-watch.js'
import type { PoolEngine } from '../engine/pool-engine.js'
import type { DurableCall, DurableEnd } from './durable-call.js'
import { DurableInput } from './durable-input.js'
import { DurableResult } from './durable-result.js'
import type { DurableObserver } from './durable-telemetry.js'

/** A day. */
const defaultKeep = 86_400_000

export interface DurableStart {
  readonly task: TaskInfo
  readonly form: DurableForm
  readonly items: readonly unknown[]
  readonly fittingSize: number
  readonly options: ParsedOptions
}

export function startDurable(owner: object, engine: PoolEngine, start: DurableStart): DurableResult<unknown> {
  const { task, form, items, fittingSize, options } = start
  const { durable: key = '', priority = 0, chunkSize } = options
  engine.checkNamed('a durable call')
  const kind = { method: `${form}Async`, spread: form !== 'map' }
  const { header, observer } = engine.opener.openDurable(task, kind, options)
  const size = chunkSize as number | undefined
  const given = () => new DurableInput({ key, form, task, items, chunkSize: size, fittingSize, header, priority })
  return follow(owner, engine, key, options, given, observer)
}

/** @param key - of a call that is there */
export function attachDurable(owner: object, engine: PoolEngine, key: string): DurableResult<unknown> {
  engine.checkNamed('attach()')
  return follow(owner, engine, key, {}, undefined)
}

function follow(
  owner: object,
  engine: PoolEngine,
  key: string,
  options: ParsedOptions,
  given: (() => DurableInput) | undefined,
  observer?: DurableObserver,
): DurableResult<unknown> {
  const callbacks = options as Callbacks<unknown[]>
  const hasCallbacks = callbacks.callback !== undefined || callbacks.errorCallback !== undefined
  const place = hasCallbacks || options.onProgress !== undefined ? new CallPlace() : undefined
  let isCalledBack = false
  const [input, refusal] = inputOf(given)
  const atEnd: (() => void)[] = []
  const settle = (ending: Ending<unknown[]>) => {
    for (const act of atEnd.splice(0)) act()
    if ('error' in ending) AsyncResult.reject(result, ending.error)
    else AsyncResult.fulfil(result, call.pick(ending.value))
  }
  const call: DurableCall = engine.durables.start({
    owner,
    key,
    input,
    ifDone: options.ifDone ?? 'return',
    keep: options.keep ?? defaultKeep,
    session: () => (refusal === undefined ? engine.durableSession(key) : Promise.reject(refusal)),
    ...(observer !== undefined && { onOpen: (call: string) => observer.opened(call) }),
    onProgress: progressTeller(options, place, (error) => call.fail(error)),
    onEnd: (end) => {
      const ending = endingOf(end)
      const { done } = call.progress
      observer?.ended({ done, failed: call.failed, goesOn: false, ...('error' in end && end) })
      const isTerminated = 'error' in ending && attempt(() => ending.error instanceof PoolTerminatedError) === true
      if (place === undefined || !hasCallbacks || isTerminated) return settle(ending)
      isCalledBack = true
      engine.callbacks.run(() => {
        const called = callBack(ending, callbacks, place, engine)
        return 'then' in called ? called.then(settle) : settle(called)
      })
    },
  })
  const guard = (wait: Promise<void>) => outsideOf(engine, 'a result', () => isCalledBack, wait)
  const result = new DurableResult<unknown>(call, hasCallbacks ? guard : undefined)
  const { signal } = options
  if (signal !== undefined) {
    const cancel = () =>
      call.abort(new CancelledError('The call was cancelled by its signal', { cause: signal.reason }))
    if (signal.aborted) soon(cancel)
    else atEnd.push(watchAbort(signal, cancel))
  }
  return result
}

/** The items, or why they cannot be sent. */
function inputOf(given: (() => DurableInput) | undefined): [input: DurableInput | undefined, refusal?: EncodingError] {
  try {
    return [given?.()]
  } catch (error) {
    if (error instanceof EncodingError) return [undefined, error]
    throw error
  }
}

function endingOf(end: DurableEnd): Ending<unknown[]> {
  if ('error' in end) return { error: end.error }
  const { errors, values } = end.outcomes
  return errors.size === 0 ? { value: values } : { error: errors.get(firstOf(errors.keys())) }
}

function firstOf(indexes: Iterable<number>): number {
  let first = Number.POSITIVE_INFINITY
  for (const index of indexes) if (index < first) first = index
  return first
}

/** Tells how far the call is, as other calls do. */
function progressTeller(options: ParsedOptions, place: CallPlace | undefined, fail: (error: unknown) => void) {
  const reporter = new ProgressReporter(options.onProgress, place)
  const teller = reporter.before({ take: () => undefined, fail })
  let told = 0
  return (done: number, total: number) => {
    reporter.total = total
    const values = { length: done - told }
    told = done
    teller.take(0, { values, failures: new Map(), duration: 0, characters: 0 })
  }
}
