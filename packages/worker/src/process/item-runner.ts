/** Runs one item: its own time limit, and its tries after a failure. A plain call costs a plain call. */
import { setTimeout as delay } from 'node:timers/promises'
import { attempt, type Chunk, type Retry, type TaskFunction, TaskTimeoutError } from '@poolmq/shared'
import type { RunningChunk } from './running-chunk.js'

/** Milliseconds that a back-off lasts at most. */
const longestBackOff = 30_000

export type ItemRunner = (item: unknown) => unknown

/** Tells the supervisor that an item runs from now on, for so many milliseconds at most; 0: no limit, or no more. */
export type TellLimit = (limit: number) => void

/**
 * What runs an item of this chunk. It throws, or its promise rejects, with the item's error.
 *
 * @param now - milliseconds of the clock that limits are measured by
 */
export function itemRunner(
  task: TaskFunction,
  chunk: Chunk,
  running: RunningChunk,
  tell: TellLimit,
  now: () => number,
): ItemRunner {
  const call: ItemRunner = chunk.spread ? (item) => task(...asArguments(item, running.index)) : (item) => task(item)
  const { timeout, retry } = chunk
  const limited = timeout === 0 ? call : (item: unknown) => runWithin(timeout, call, item, running, tell, now)
  return retry === undefined ? limited : (item) => runAgain(retry, limited, item, running)
}

function asArguments(item: unknown, index: number): unknown[] {
  if (Array.isArray(item)) return item
  const what = item === null ? 'null' : typeof item
  throw new TypeError(`item ${index} of a starmap must be an array of arguments, got ${what}`)
}

/**
 * The task is told by its AbortSignal that its time is over, and is waited for: a task that goes on all the same ends
 * with its worker process, which the supervisor sees to. While a neighbour keeps the event loop to itself, no time of the
 * item passes; while its task does so before it first waits, it does.
 */
async function runWithin(
  timeout: number,
  call: ItemRunner,
  item: unknown,
  running: RunningChunk,
  tell: TellLimit,
  now: () => number,
): Promise<unknown> {
  const { index, offset, taskId } = running
  const message = `the task ${taskId} ran for more than ${timeout} ms (item ${index} of its call)`
  const late = new TaskTimeoutError(message, { timeout, index })
  const start = performance.now()
  let spent = () => performance.now() - start
  const look = () => {
    const rest = Math.ceil(timeout - spent())
    if (running.offset !== offset) return
    if (rest <= 0) return running.abortItem(late)
    timer = setTimeout(look, rest)
    tell(rest)
  }
  let timer = setTimeout(look, timeout)
  tell(timeout)
  try {
    const value = call(item)
    const [own, since] = [performance.now() - start, now()]
    spent = () => own + now() - since
    const settled = await value
    if (spent() <= timeout) return settled
  } catch (error) {
    if (spent() <= timeout) throw error
  } finally {
    clearTimeout(timer)
    tell(0)
  }
  throw late
}

async function runAgain(retry: Retry, run: ItemRunner, item: unknown, running: RunningChunk): Promise<unknown> {
  const first = running.attempt
  try {
    for (let tries = 0; ; tries++) {
      try {
        return await run(item)
      } catch (error) {
        if (tries >= retry.count || running.aborted !== undefined || !isWorthIt(error, retry)) throw error
        running.attempt++
        // Full jitter: tasks that failed together do not come back together.
        await delay(Math.random() * Math.min(retry.delay * 2 ** tries, longestBackOff))
      }
    }
  } finally {
    running.attempt = first
  }
}

function isWorthIt(error: unknown, retry: Retry): boolean {
  if (attempt(() => error instanceof TaskTimeoutError) === true) return false
  const { on } = retry
  if (on === undefined) return true
  // What cannot be read is none of those that were named.
  return attempt(() => isNamed(error, on)) === true
}

function isNamed(error: unknown, names: readonly string[]): boolean {
  const { name, code } = (typeof error === 'object' && error !== null ? error : {}) as {
    name?: unknown
    code?: unknown
  }
  return names.some((wanted) => wanted === name || wanted === String(code))
}
