/**
 * Runs the items of one chunk, one after the other, and makes its outcome. Whatever a task does that leaves the process
 * alive ends here: thrown errors and non-errors, rejections, values that cannot be encoded.
 */
import {
  type Chunk,
  decodeList,
  type EncodingError,
  encodeError,
  encodeValues,
  type Outcome,
  type SharedValues,
  type TaskFunction,
  weigh,
} from '@poolmq/shared'
import type { LossLedger } from '../queue/loss-ledger.js'
import { CarefulItem } from './careful-item.js'
import { itemRunner } from './item-runner.js'
import { apart, ItemScope } from './item-scope.js'
import type { LoopClock } from './loop-clock.js'
import type { ChunkObserver } from './run-observer.js'
import type { RunningChunk } from './running-chunk.js'
import { taskContext } from './task-context.js'

type Failure = Outcome['failures'][number]

/** Characters that the errors of a chunk may take together before each is cut to little. */
const roomForErrors = 16 * 1024 * 1024

/** Called before an item of a chunk that has lost a worker process starts; it is waited for. */
export type BeforeItem = (index: number) => Promise<void> | void

/** Tells the supervisor which item runs, and for how many milliseconds it may; 0: no limit. */
export type TellItem = (index: number, limit: number) => void

export interface ChunkRun {
  readonly task: TaskFunction
  readonly chunk: Chunk
  /** The shared values that its items hold, by hash; undefined: none. */
  readonly shared?: SharedValues | undefined
  readonly losses: Pick<LossLedger, 'unknown' | 'shared' | 'careful' | 'giveUp'>
  readonly beforeItem: BeforeItem
  readonly tellItem: TellItem
  readonly running: RunningChunk
  readonly clock: LoopClock
  /** Who is told of it; undefined: nobody. */
  readonly observer: ChunkObserver | undefined
}

/** The outcome of a chunk of which no item can run, for one reason. */
export function failedOutcome(error: unknown): Outcome {
  return { payload: { encoding: 'json', text: '[]' }, failures: [[-1, encodeError(error)]], duration: 0 }
}

/** @throws EncodingError when the chunk's payload cannot be decoded. */
export async function runChunk(run: ChunkRun): Promise<Outcome> {
  const items = decodeList(run.chunk.payload, run.shared)
  run.running.attempt = run.losses.unknown + run.losses.shared + 1
  run.running.place = run.chunk.place
  const start = performance.now()
  const { observer, running } = run
  const enclose = <T>(work: () => T): T =>
    observer === undefined ? taskContext.run(running, work) : observer.run(() => taskContext.run(running, work))
  const { values, failures } = await apart(() => enclose(() => runItems(run, items, new ItemScope(enclose))))
  const duration = performance.now() - start
  const outcome = { ...encodeOutcome(values, failures, run), duration }
  const [last] = run.chunk.mode === 'first' ? failures : []
  observer?.chunkEnded(outcome, last === undefined ? items.length : last[0] + 1)
  return outcome
}

async function runItems(
  run: ChunkRun,
  items: ArrayLike<unknown>,
  scope: ItemScope,
): Promise<{ values: unknown[]; failures: Failure[] }> {
  const { chunk, losses, running, clock, observer } = run
  const tellLimit = (limit: number) => run.tellItem(running.offset, limit)
  const runItem = itemRunner(run.task, chunk, running, tellLimit, () => clock.now())
  const runApart: typeof runItem = (item) => taskContext.run(new CarefulItem(running), runItem, item)
  const values: unknown[] = new Array(items.length)
  const failures: Failure[] = []
  /** Items until the observer is told again. */
  let due = observer === undefined ? 0 : 1
  let room = roomForErrors
  for (let i = 0; i < items.length; i++) {
    // Tasks that never wait are not to keep the event loop from the lanes beside theirs.
    if (clock.isDue()) await clock.turn()
    running.start(i)
    try {
      if (running.aborted !== undefined) throw running.aborted.reason
      if (losses.careful) {
        const given = losses.giveUp(i, running.taskId, running.index, chunk.timeout)
        if (given !== undefined) throw given
        await run.beforeItem(i)
      }
      // Only a thenable is waited for: a turn of the event loop per item would cost more than most tiny tasks.
      const value = scope.run(losses.careful ? runApart : runItem, items[i])
      values[i] = isThenable(value) ? await value : value
      if (--due === 0 && observer !== undefined) due = observer.lap(i, false)
    } catch (error) {
      values[i] = null
      if (observer !== undefined) due = observer.lap(i, true)
      const failure = encodeError(error, room)
      room -= weigh(failure, room)
      failures.push([i, failure])
      if (chunk.mode === 'first') break
    }
  }
  return { values, failures }
}

/** As `await` has it: a function may be one as well. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  const mayBe = typeof value === 'object' ? value !== null : typeof value === 'function'
  return mayBe && typeof (value as { then?: unknown }).then === 'function'
}

type Results = Pick<Outcome, 'payload' | 'failures'>

function encodeOutcome(values: unknown[], failures: Failure[], { chunk: { mode, place }, running }: ChunkRun): Results {
  if (mode === 'first' && failures.length > 0) return { payload: { encoding: 'json', text: '[]' }, failures }
  try {
    return { payload: encodeValues(values, 'results', place.first), failures }
  } catch (error) {
    if (mode === 'first') return failedOutcome(error)
    return encodeEach(values, failures, running, error as EncodingError)
  }
}

/** Finds the values that cannot be encoded, and lets the others through. */
function encodeEach(values: unknown[], failures: Failure[], running: RunningChunk, whole: EncodingError): Results {
  const all = [...failures]
  const failed = new Set(failures.map(([offset]) => offset))
  for (let i = 0; i < values.length; i++) {
    if (failed.has(i)) continue
    try {
      encodeValues([values[i]], 'results', running.indexOf(i))
    } catch (error) {
      values[i] = null
      all.push([i, encodeError(error)])
    }
  }
  if (all.length === failures.length) return failedOutcome(whole)
  try {
    return { payload: encodeValues(values, 'results'), failures: all }
  } catch (error) {
    return failedOutcome(error)
  }
}
