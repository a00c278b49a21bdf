/**
 * What has happened on a host since it began: worker processes lost and replaced, and what those that are gone had run. For
 * who observes it; it decides nothing, and is bounded.
 */
import { events, type LossReport } from '@poolmq/shared'
import type { ProgramExit } from '../line/started-program.js'
import { addCounts, newCounts, type Tally, type TaskCounts } from '../line/tally.js'

/** Losses that are told one by one. */
const keptLosses = 20
/** Causes that are counted apart. */
const mostCauses = 30

interface Loss {
  readonly pid: number
  readonly reason: string
  /** By `performance.now()`. */
  readonly at: number
}

export class HostRecord {
  readonly #pool: string
  readonly #losses: Loss[] = []
  readonly #causes = new Map<string, number>()
  readonly #gone = new Map<string, TaskCounts>()
  #lost = 0
  #recycled = 0

  constructor(pool: string) {
    this.#pool = pool
  }

  get lost(): number {
    return this.#lost
  }

  get recycled(): number {
    return this.#recycled
  }

  /** Losses by their causes. */
  get causes(): ReadonlyMap<string, number> {
    return this.#causes
  }

  /** What those that are gone had run, by task. */
  get gone(): ReadonlyMap<string, TaskCounts> {
    return this.#gone
  }

  /** The last losses, oldest first. */
  get losses(): LossReport[] {
    const now = performance.now()
    return this.#losses.map(({ pid, reason, at }) => ({ pid, reason, age: Math.round(now - at) }))
  }

  /** A worker process has ended that should not have, or that had to be killed. */
  noteLoss(pid: number, reason: string, chunks: readonly string[]): void {
    this.#lost++
    this.#losses.push({ pid, reason, at: performance.now() })
    if (this.#losses.length > keptLosses) this.#losses.shift()
    const cause = this.#causes.has(reason) || this.#causes.size < mostCauses ? reason : 'other'
    this.#causes.set(cause, (this.#causes.get(cause) ?? 0) + 1)
    if (events.workerLost.hasSubscribers) events.workerLost.publish({ pool: this.#pool, pid, reason, chunks })
  }

  /** A worker process leaves its seat to its successor, as its limits say. */
  noteRecycled(pid: number): void {
    this.#recycled++
    if (events.workerRecycle.hasSubscribers) events.workerRecycle.publish({ pool: this.#pool, pid })
  }

  /** Keeps what a worker process that has ended had run. */
  keep({ tasks }: Tally): void {
    for (const [task, counts] of tasks) {
      const kept = this.#gone.get(task) ?? newCounts()
      this.#gone.set(task, kept)
      addCounts(kept, counts)
    }
  }
}

/** How a program has ended, in a word or two. */
export function reasonOf({ code, signal, cause }: ProgramExit): string {
  if (cause instanceof Error) return `uncaught ${cause.name}`.slice(0, 60)
  return (signal ?? `exit code ${code}`).slice(0, 60)
}
