/**
 * The items of a durable call, in the process that was given them: what stands for them, and their chunks, as often as Redis needs
 * them. They are encoded in the call; what Redis loses later is encoded again, and must still be the same.
 */
import { hostname } from 'node:os'
import {
  type CallHeader,
  DurableConflictError,
  type DurableForm,
  type DurableHead,
  type EncodingError,
  formatChunk,
  formatChunkId,
  inBlobs,
  largestInline,
  PoolStateError,
  payloadLength,
  type SharedContent,
  type TaskInfo,
  untilAnswered,
} from '@poolmq/shared'
import type { DurableStore, NewChunk, PieceStore } from '@poolmq/worker'
import { type EncodedChunk, encodeChunk, sharedIn } from '../calls/chunker.js'
import type { FairShare } from '../session/fair-share.js'
import type { SharedClaims } from '../session/shared-claims.js'
import { blockSize, firstDifference, ItemPrints } from './item-prints.js'

/** Chunks, and characters of them, that are added at once. */
const maxChunks = 500
const maxCharacters = 4 * 1024 * 1024
/** What a chunk takes beside its payload, in Redis 7. */
const overhead = 400
/** Blocks of items that are compared at once. */
const comparedAtOnce = 50

export interface DurableInputOptions {
  readonly key: string
  readonly form: DurableForm
  readonly task: TaskInfo
  readonly items: readonly unknown[]
  /** Items in a chunk; undefined: as fits. */
  readonly chunkSize: number | undefined
  readonly fittingSize: number
  readonly header: CallHeader
  readonly priority: number
}

/** Where chunks go. */
export interface DurablePlaces {
  readonly store: DurableStore
  readonly pieces: PieceStore
  readonly claims: Pick<SharedClaims, 'send'>
  /** The shared values that the arguments of this pool's initializer hold. */
  readonly needed: readonly SharedContent[]
  readonly share: FairShare
}

export class DurableInput {
  readonly #options: DurableInputOptions
  readonly #items: readonly unknown[]
  readonly #prints: ItemPrints
  readonly #shared = new Map<string, SharedContent>()
  readonly head: DurableHead
  /** Chunks as they were encoded in the call, until they have been sent. */
  #encoded: EncodedChunk[] = []

  /** @throws EncodingError for the first item that cannot be encoded: a call that is kept has none */
  constructor(options: DurableInputOptions) {
    const { key, form, task, items, chunkSize, fittingSize } = options
    this.#options = options
    this.#items = items.slice()
    this.#prints = new ItemPrints(items)
    const size = chunkSize ?? fittingSize
    for (let i = 0; i < items.length; i += size) {
      const chunk = encoded(items.slice(i, i + size), i)
      this.#encoded.push(chunk)
      for (const content of sharedOf(chunk)) this.#shared.set(content.hash, content)
    }
    const { version } = task
    this.head = {
      key,
      form,
      task: task.id,
      ...(version !== undefined && { version }),
      items: items.length,
      chunkSize: size,
      digest: this.#prints.digest,
      host: hostname(),
      pid: process.pid,
    }
  }

  /** What stands for the items, as it is kept. */
  get prints(): Buffer[] {
    return this.#prints.blocks
  }

  /** Bytes that its chunks take in Redis, about: before they have been sent. */
  get size(): number {
    let size = 0
    for (const { payload } of this.#encoded) size += overhead + (payload === undefined ? 0 : payloadLength(payload))
    return size
  }

  /** The shared values that they hold. */
  get shared(): Iterable<SharedContent> {
    return this.#shared.values()
  }

  /** @throws DurableConflictError when the call that is kept under this key is another */
  async compare(kept: DurableHead, store: DurableStore): Promise<void> {
    const own = this.head
    const refuse = (what: DurableConflictError['what'], there: unknown, here: unknown) => {
      throw conflict(own.key, what, `its ${named[what]} is ${String(there)}, and here it is ${String(here)}`)
    }
    if (kept.task !== own.task) refuse('task', kept.task, own.task)
    if (kept.version !== own.version) refuse('version', kept.version ?? 'none', own.version ?? 'none')
    if (kept.form !== own.form) refuse('form', kept.form, own.form)
    if (this.#options.chunkSize !== undefined && kept.chunkSize !== own.chunkSize) {
      refuse('chunkSize', kept.chunkSize, own.chunkSize)
    }
    if (kept.digest === own.digest) return
    const index = await this.#firstDifference(kept, store)
    const lengths = kept.items === own.items ? '' : `; it has ${kept.items} items, and here are ${own.items}`
    const what = own.form === 'apply' ? 'the arguments differ' : `item ${index} is the first that differs${lengths}`
    throw conflict(own.key, 'items', what, index)
  }

  async #firstDifference(kept: DurableHead, store: DurableStore): Promise<number> {
    const common = Math.min(kept.items, this.head.items)
    const own = this.prints
    for (let from = 0; from < own.length; from += comparedAtOnce) {
      const prints = await untilAnswered(() => store.prints(from, Math.min(from + comparedAtOnce, own.length)))
      for (const [i, print] of prints.entries()) {
        const offset = print && firstDifference(print, own[from + i] as Buffer)
        if (offset !== undefined) return Math.min(common, (from + i) * blockSize + offset)
      }
    }
    return common
  }

  /**
   * Adds these chunks of a run. False when the call does not run any more, or in another run.
   *
   * @param finished - the items of a chunk that are left out, by their places in it
   */
  async submit(
    places: DurablePlaces,
    { chunkSize }: DurableHead,
    run: number,
    chunks: readonly number[],
    finished: (chunk: number) => readonly number[] = () => [],
  ): Promise<boolean> {
    if (chunkSize !== this.head.chunkSize) this.#encoded = []
    const { store, pieces, share } = places
    const { task, header, priority } = this.#options
    const life = await this.#prepare(places, run)
    if (life === undefined) return false
    const cost = share.of([{ taskId: task.id, chunk: { length: chunkSize } }])
    let batch: NewChunk[] = []
    let characters = 0
    const send = async () => {
      const sent = batch
      ;[batch, characters] = [[], 0]
      return sent.length === 0 || (await untilAnswered(() => store.submit(run, sent, cost)))
    }
    for (const index of chunks) {
      const jobId = formatChunkId(store.id, run, index)
      const { payload, first, gaps } = this.#encode(index, chunkSize, finished(index))
      const size = payloadLength(payload)
      const isLarge = size > largestInline
      if (isLarge) await untilAnswered(() => pieces.putPayload(jobId, inBlobs(payload), life))
      const sent = isLarge ? ({ encoding: 'apart', name: '' } as const) : payload
      const data = formatChunk(header, sent, { first, gaps }, sharedIn(payload))
      batch.push({ jobId, taskId: task.id, data, priority })
      characters += isLarge ? data.length : size
      if ((batch.length >= maxChunks || characters > maxCharacters) && !(await send())) return false
    }
    const isSent = await send()
    this.#encoded = []
    return isSent
  }

  /**
   * Puts shared values where the call holds them, before chunks that need them. Milliseconds that what is added is to live; undefined when the call does not
   * run any more, or in another run.
   */
  async #prepare({ store, claims, needed }: DurablePlaces, run: number): Promise<number | undefined> {
    const known = new Map(this.#shared)
    for (const content of needed) known.set(content.hash, content)
    await claims.send(known.values())
    for (;;) {
      const prepared = await untilAnswered(() => store.prepare(run, [...known.keys()]))
      if (prepared === undefined || prepared.missing.length === 0) return prepared?.life
      // Redis has lost them meanwhile; or they are what the process that began this run has given to its initializer.
      const missing = prepared.missing.map((hash) => known.get(hash))
      if (missing.includes(undefined)) throw lostArguments(this.head.key)
      await claims.send(missing as SharedContent[])
    }
  }

  #encode(chunk: number, chunkSize: number, gaps: readonly number[]) {
    const first = chunk * chunkSize
    const known = gaps.length === 0 ? this.#encoded[chunk] : undefined
    if (known?.payload !== undefined) return { payload: known.payload, first, gaps }
    const items = this.#items.slice(first, first + chunkSize)
    if (!this.#prints.has(first, items)) {
      throw new PoolStateError(
        `items of the durable call ${JSON.stringify(this.head.key)} were changed after it was made, between ${first} and ${first + items.length - 1}; ` +
          'Redis has lost them, and they cannot be given again',
      )
    }
    const left = new Set(gaps)
    const { payload, failures } = encodeChunk(
      items.filter((_, offset) => !left.has(offset)),
      'items',
      first,
    )
    if (payload === undefined) throw [...failures.values()][0]
    return { payload, first, gaps }
  }
}

const named: Readonly<Record<string, string>> = {
  task: 'task',
  version: 'version',
  form: 'method',
  chunkSize: 'chunkSize',
}

function conflict(key: string, what: DurableConflictError['what'], why: string, index?: number): DurableConflictError {
  return new DurableConflictError(
    `a durable call ${JSON.stringify(key)} is there, and is another: ${why}. Give the new one another key, or forget the first: ` +
      `pool.attach(${JSON.stringify(key)}).forget()`,
    { key, what, ...(index !== undefined && { index }) },
  )
}

function encoded(items: readonly unknown[], first: number): EncodedChunk {
  const chunk = encodeChunk(items, 'items', first)
  const [failure] = chunk.failures.values() as IterableIterator<EncodingError>
  if (failure !== undefined) throw failure
  return chunk
}

const sharedOf = ({ payload }: EncodedChunk): readonly SharedContent[] => (payload && sharedIn(payload)) ?? []

function lostArguments(key: string): PoolStateError {
  return new PoolStateError(
    `Redis has lost what the initializer of the durable call ${JSON.stringify(key)} is given, and the initArgs of this pool are others: make ` +
      'the call again in a pool with those that it was begun with, or cancel it and run it with these',
  )
}
