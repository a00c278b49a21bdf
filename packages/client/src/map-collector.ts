/**
 * Collects a map: values in input order, and the first error in time. Like Python's MapResult it ends when every chunk
 * has been heard of, also after a failure.
 */
import type { ChunkResult, Collector } from './call.js'
import type { Ending } from './callback-queue.js'

export class MapCollector<T> implements Collector {
  readonly #chunks: (readonly unknown[])[] = []
  readonly #done: (ending: Ending<T[]>) => void
  #outstanding: number
  #failure: { readonly error: unknown } | undefined

  constructor(chunks: number, done: (ending: Ending<T[]>) => void) {
    this.#outstanding = chunks
    this.#done = done
  }

  take(index: number, result: ChunkResult): void {
    if (result.failures.size === 0) this.#chunks[index] = result.values
    else this.#failure ??= { error: firstOf(result.failures) }
    this.#outstanding--
    if (this.#outstanding === 0) this.end()
  }

  /** All chunks have been heard of; an empty input has none. */
  end(): void {
    this.#done(this.#failure ?? { value: join(this.#chunks) as T[] })
  }

  fail(error: unknown): void {
    this.#done({ error })
  }
}

function firstOf(failures: ReadonlyMap<number, unknown>): unknown {
  return failures.get(Math.min(...failures.keys()))
}

/** One array of all values. */
function join(chunks: (readonly unknown[])[]): unknown[] {
  const [only] = chunks
  if (chunks.length === 1 && only !== undefined) return only as unknown[]
  const groups: unknown[][] = []
  // `concat` copies whole arrays; but it cannot be called with too many at once.
  for (let i = 0; i < chunks.length; i += concatenable) {
    groups.push(([] as unknown[]).concat(...chunks.slice(i, i + concatenable)))
  }
  return groups.length === 1 ? (groups[0] as unknown[]) : ([] as unknown[]).concat(...groups)
}

const concatenable = 10_000
