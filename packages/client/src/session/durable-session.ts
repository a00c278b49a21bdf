/** What a durable call needs of a pool's side of Redis: its store, pieces, and a reader of its stream that leaves what it reads. */
import { explainFailure, type OutcomeEntry, type PoolKeys, type PoolSpec, type RedisLink } from '@poolmq/shared'
import { DurableStore, type PieceStore } from '@poolmq/worker'
import type { FairShare } from './fair-share.js'
import { type Awaited, ReadingPace } from './reading-pace.js'
import { ResultReader } from './result-reader.js'

export interface DurableListener {
  readonly onEntry: (entry: OutcomeEntry) => void
  readonly onMark: (fields: readonly Buffer[]) => void
  /** All that was there has been handed on. */
  readonly onEnd: () => void
  readonly onFailed: (error: unknown) => void
}

export class DurableSession {
  readonly store: DurableStore
  readonly #link: RedisLink
  readonly #keys: PoolKeys

  constructor(
    link: RedisLink,
    keys: PoolKeys,
    key: string,
    readonly pieces: PieceStore,
    readonly spec: PoolSpec | undefined,
    readonly share: FairShare,
  ) {
    this.#link = link
    this.#keys = keys
    this.store = DurableStore.ofKey(link, keys, key)
  }

  /** Reads the call's stream from its beginning, over a connection of its own, until it is closed. */
  read(
    { onEntry, onMark, onEnd, onFailed }: DurableListener,
    awaited: Awaited,
  ): Pick<ResultReader, 'close' | 'rewind'> {
    const stream = this.#keys.results(this.store.id)
    const refused = (error: unknown) => onFailed(explainFailure(error, this.#link.descriptor))
    const listener = {
      onEntry,
      onMark,
      onEnd,
      onOrder: () => undefined,
      onRefused: refused,
      onWrongType: () => undefined,
    }
    const reader = new ResultReader(this.#link, stream, new ReadingPace(awaited), listener, true)
    void reader.run()
    return reader
  }
}
