/**
 * A client's part of a pool that it shares with others: under which key it waits for its turns, and how much a turn of it is, which is
 * the run time that is expected of a chunk, by the weight of the share. Of chunks of one task Redis knows what is expected, the same for all
 * producers; of those of several that are sent at once it is what is known here: what all have seen, or, until that is there, what the client itself
 * has heard of late. It does not talk to Redis: see fair-costs.
 */
import { costTolerance, type HeardCost, leastCost, type Share, unknownStep } from '@poolmq/worker'

/** Chunks that what is expected of an item is the average of, about: enough for those that were held up not to tell. */
const averaged = 128
/** Chunks of a task after which the others are told at once, as after the first: by then it is known much better. */
const toldAt = 32

/** What is known of a task. */
interface Known {
  /** Seconds that an item of it takes, as far as was heard here. */
  item: number
  chunks: number
  /** What an item of it costs now. */
  told: number
  /** That is what all producers have seen. */
  isCommon: boolean
  /** What the others have not been told of: how many chunks, and the sum of what an item of each took. */
  news: number
  sum: number
}

/** What is asked of a chunk. */
interface CostlyChunk {
  readonly taskId: string
  readonly chunk: { readonly length: number }
}

export class FairShare {
  readonly #tasks = new Map<string, Known>()
  /** The others should be told at once of what was heard. */
  onNews: (() => void) | undefined

  /**
   * @param weight - how many times as much as one of weight 1 it gets
   * @param isShared - there may be others; else all chunks cost the same, as there is nothing to share
   */
  constructor(
    readonly key: string,
    readonly weight: number,
    readonly isShared = true,
  ) {}

  /** A chunk has run for so many milliseconds. */
  heard(taskId: string, items: number, duration: number): void {
    if (items === 0 || duration === 0) return
    const item = duration / items / 1000
    const known = this.#tasks.get(taskId)
    if (known === undefined) {
      this.#tasks.set(taskId, { item, chunks: 1, told: item, isCommon: false, news: 1, sum: item })
      this.onNews?.()
      return
    }
    known.chunks = Math.min(known.chunks + 1, averaged)
    known.item += (item - known.item) / known.chunks
    known.news++
    known.sum += item
    if (!known.isCommon && Math.abs(known.item - known.told) > known.told * costTolerance) known.told = known.item
    if (known.chunks === toldAt) this.onNews?.()
  }

  /** What was heard since this was asked last. */
  takeHeard(): HeardCost[] {
    const heard: HeardCost[] = []
    for (const [taskId, known] of this.#tasks) {
      if (known.news === 0) continue
      heard.push({ taskId, chunks: known.news, sum: known.sum })
      known.news = known.sum = 0
    }
    return heard
  }

  /** What an item of a task costs, as all producers have seen it. */
  learn(taskId: string, cost: number): void {
    const known = this.#tasks.get(taskId)
    if (known === undefined) {
      this.#tasks.set(taskId, { item: cost, chunks: 0, told: cost, isCommon: true, news: 0, sum: 0 })
      return
    }
    known.told = cost
    known.isCommon = true
  }

  /** The share of chunks that are added at once: on the average of them. */
  of(chunks: readonly CostlyChunk[]): Share {
    const { key, weight } = this
    const [task, count] = [chunks[0]?.taskId, Math.max(1, chunks.length)]
    if (!this.isShared || task === undefined) return { key, step: unknownStep }
    let [cost, items, isOne] = [0, 0, true]
    for (const { taskId, chunk } of chunks) {
      cost += this.#cost(taskId, chunk.length)
      items += chunk.length
      isOne &&= taskId === task
    }
    return isOne ? { key, task, items: items / count, weight } : { key, step: cost / count / weight }
  }

  #cost(taskId: string, items: number): number {
    const known = this.#tasks.get(taskId)
    return known === undefined ? unknownStep : Math.max(known.told * items, leastCost)
  }
}
