/**
 * A client's part of a pool that it shares with others: under which key it waits for its turns, and how much a turn of it is, which is
 * the run time that is expected of a chunk, by the weight of the share. What is expected is what the task's items took of late.
 */
import { type Share, unknownStep } from '@poolmq/worker'

/** Seconds that a chunk costs at least: its way to a worker process and back is no item's. */
const leastCost = 0.0001
/** Chunks that what is expected of an item is the average of, about: enough for those that were held up not to tell. */
const averaged = 128
/** What is told changes when it is wrong by this part: Redis need not hear of each new estimate. */
const tolerance = 0.05

/** What is known of a task. */
interface Known {
  /** Seconds that an item of it takes. */
  item: number
  chunks: number
  /** What has been told of it. */
  told: number
}

/** What is asked of a chunk. */
interface CostlyChunk {
  readonly taskId: string
  readonly chunk: { readonly length: number }
}

export class FairShare {
  readonly #tasks = new Map<string, Known>()

  /** @param weight - how many times as much as one of weight 1 it gets */
  constructor(
    readonly key: string,
    readonly weight: number,
  ) {}

  /** A chunk has run for so many milliseconds. */
  heard(taskId: string, items: number, duration: number): void {
    if (items === 0 || duration === 0) return
    const item = duration / items / 1000
    const known = this.#tasks.get(taskId)
    if (known === undefined) {
      this.#tasks.set(taskId, { item, told: item, chunks: 1 })
      return
    }
    known.chunks = Math.min(known.chunks + 1, averaged)
    known.item += (item - known.item) / known.chunks
    if (Math.abs(known.item - known.told) > known.told * tolerance) known.told = known.item
  }

  /** The share of chunks that are added at once: on the average of them. */
  of(chunks: readonly CostlyChunk[]): Share {
    let cost = 0
    for (const { taskId, chunk } of chunks) cost += this.#cost(taskId, chunk.length)
    return { key: this.key, step: cost / Math.max(1, chunks.length) / this.weight }
  }

  #cost(taskId: string, items: number): number {
    const known = this.#tasks.get(taskId)
    return known === undefined ? unknownStep : Math.max(known.told * items, leastCost)
  }
}
