/**
 * How many items the next chunk of an `imap` has. `auto` aims at chunks of about 20 ms: long enough that a chunk's own
 * cost is small beside it, short enough that results flow. It begins with single items, grows with what workers report,
 * and shrinks towards the end of an input of known length, so that no straggler holds the end.
 */
export interface ChunkSizer {
  /** Items of the next chunk, at most. */
  next(read: number): number
  /** A chunk has come back: so many items, which ran for so many milliseconds and were sent as so many characters. */
  observe(items: number, duration: number, characters: number): void
  /** A chunk may be sent short when the input is not ready with its next item. */
  readonly eager: boolean
}

export function fixedSize(size: number): ChunkSizer {
  return { next: () => size, observe: () => undefined, eager: false }
}

/** Milliseconds that a chunk should run. */
const targetDuration = 20
/** Characters that a chunk should have at most: it is to fit in memory, and not to hold up others in Redis. */
const targetCharacters = 1024 * 1024
const mostItems = 10_000
/** How much larger than the last a chunk may be: an estimate from few items is a poor one. */
const growth = 8

export class AutoSize implements ChunkSizer {
  readonly eager = true
  readonly #workers: number
  readonly #total: number | undefined
  #size = 1
  #itemDuration: number | undefined
  #itemCharacters = 0

  /** @param total - items of the whole input, where that is known */
  constructor(workers: number, total: number | undefined) {
    this.#workers = workers
    this.#total = total
  }

  next(read: number): number {
    if (this.#total === undefined) return this.#size
    const rest = Math.max(0, this.#total - read)
    return Math.max(1, Math.min(this.#size, Math.ceil(rest / (2 * this.#workers))))
  }

  observe(items: number, duration: number, characters: number): void {
    if (items === 0) return
    // The larger the chunk, the better the measure; single items are mostly overhead.
    const weight = Math.min(0.5, 0.1 + items / 100)
    const blend = (old: number | undefined, now: number) => (old === undefined ? now : old + weight * (now - old))
    this.#itemDuration = blend(this.#itemDuration, duration / items)
    this.#itemCharacters = blend(this.#itemCharacters, characters / items)
    const byTime = targetDuration / Math.max(this.#itemDuration, 1e-4)
    const bySize = targetCharacters / Math.max(this.#itemCharacters, 1)
    const wanted = Math.min(byTime, bySize, mostItems)
    // A small chunk that was under way while larger ones were measured says nothing against them.
    const reachable = Math.max(this.#size, items * growth)
    this.#size = Math.max(1, Math.floor(Math.min(wanted, reachable)))
  }
}
