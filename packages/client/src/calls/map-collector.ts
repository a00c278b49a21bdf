/**
 * Collects a map: values in input order, and the first error in time. Like Python's MapResult it ends when every chunk
 * has been heard of, also after a failure.
 */
import { joinLists } from '@poolmq/shared'
import type { ChunkResult, Collector } from './call.js'
import type { Ending } from './callback-queue.js'

export class MapCollector<T> implements Collector {
  readonly #chunks: ArrayLike<unknown>[] = []
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
    this.#done(this.#failure ?? { value: joinLists(this.#chunks) as T[] })
  }

  fail(error: unknown): void {
    this.#done({ error })
  }
}

function firstOf(failures: ReadonlyMap<number, unknown>): unknown {
  return failures.get(Math.min(...failures.keys()))
}
