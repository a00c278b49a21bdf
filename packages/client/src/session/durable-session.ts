/** What a durable call needs of a pool's side of Redis: its store, pieces, and a reader of its stream that leaves what it reads. */
import {
  explainFailure,
  memoryLeft,
  type OutcomeEntry,
  type PoolKeys,
  type PoolSpec,
  type RedisLink,
  type SharedContent,
} from '@poolmq/shared'
import { DurableStore, type PieceStore } from '@poolmq/worker'
import type { FairShare } from './fair-share.js'
import { type Awaited, ReadingPace } from './reading-pace.js'
import { ResultReader } from './result-reader.js'
import type { SharedClaims } from './shared-claims.js'

export interface DurableListener {
  readonly onEntry: (entry: OutcomeEntry) => void
  readonly onMark: (fields: readonly Buffer[]) => void
  /** All that was there has been handed on. */
  readonly onEnd: () => void
  readonly onFailed: (error: unknown) => void
}

export interface DurableSessionParts {
  readonly link: RedisLink
  readonly keys: PoolKeys
  readonly pieces: PieceStore
  readonly spec: PoolSpec | undefined
  /** The shared values that its initializer's arguments hold. */
  readonly needed: readonly SharedContent[]
  readonly claims: Pick<SharedClaims, 'send'>
  readonly share: FairShare
}

export class DurableSession {
  readonly store: DurableStore
  readonly pieces: PieceStore
  readonly spec: PoolSpec | undefined
  readonly needed: readonly SharedContent[]
  readonly claims: Pick<SharedClaims, 'send'>
  readonly share: FairShare
  readonly #link: RedisLink
  readonly #keys: PoolKeys

  constructor(key: string, { link, keys, pieces, spec, needed, claims, share }: DurableSessionParts) {
    this.#link = link
    this.#keys = keys
    this.pieces = pieces
    this.spec = spec
    this.needed = needed
    this.claims = claims
    this.share = share
    this.store = DurableStore.ofKey(link, keys, key)
  }

  /** Bytes that Redis has left, as far as it tells. */
  memoryLeft(): Promise<number> {
    return memoryLeft(this.#link)
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
