/**
 * Reads a client's result stream: one blocking connection for the whole pool, from a cursor of its own, so that a
 * reconnect loses nothing and repeats at most what was read and not yet trimmed. It trims what it has handed on.
 */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import {
  type ClientOrder,
  isWrongType,
  type OutcomeEntry,
  parseOrder,
  parseOutcomes,
  type RedisLink,
} from '@poolmq/shared'
import type { ReadingPace } from './reading-pace.js'

/** Outcomes read at once, about, as long as the last ones were small; several may stand in an entry. */
const batch = 512
/**
 * The same when nothing is known of them. An entry has half a MiB at most (what is larger travels beside it, and only small ones are gathered), so that a reply
 * stays well below the 64 MiB at which some servers cut a client off (`client-output-buffer-limit`).
 */
const safeBatch = 64
/** Bytes read at once, as far as the last entries tell. */
const batchBytes = 4 * 1024 * 1024
/** Characters read after which the stream is trimmed. */
const trimAfter = 256 * 1024
/** Characters that an entry takes beside its fields, about. */
const entryOverhead = 200
/** Milliseconds that a read waits in Redis before it is asked again. */
const block = 2000

/** Who is told what stands in the stream. */
export interface ResultListener {
  readonly onEntry: (entry: OutcomeEntry) => void
  readonly onOrder: (order: ClientOrder) => void
  /** Redis will not let this client read, now or later. */
  readonly onRefused: (error: unknown) => void
  /** Its stream has become somebody else's key. */
  readonly onWrongType: () => void
  /** An entry that is neither an outcome nor an order. */
  readonly onMark?: (fields: readonly Buffer[]) => void
  /** All that was there has been handed on. */
  readonly onEnd?: () => void
}

export class ResultReader {
  readonly #link: RedisLink
  readonly #stream: string
  readonly #listener: ResultListener
  readonly #client: ReturnType<RedisLink['duplicate']>
  readonly #pace: ReadingPace
  #cursor = '0'
  #untrimmed = 0
  /** Entries that are asked for next. */
  #count = safeBatch
  readonly #most: number
  #closed = false
  readonly #keeps: boolean
  /** Gives up the read that is under way. */
  #abandon: (error: Error) => void = () => undefined

  /** @param keeps - what was read stays, for others */
  constructor(link: RedisLink, stream: string, pace: ReadingPace, listener: ResultListener, keeps = false) {
    this.#keeps = keeps
    this.#pace = pace
    this.#link = link
    this.#stream = stream
    this.#listener = listener
    // A read that has lost its connection is not sent again as it was: it may have been cut off for the size of its reply.
    this.#client = link.duplicate({ resends: false })
    this.#client.on('close', () => this.#abandon(new Error('the connection was closed')))
    this.#most = link.client.isCluster ? safeBatch : batch
  }

  /** The id of the last entry that was handed on. */
  get cursor(): string {
    return this.#cursor
  }

  /** Reads until it is closed. */
  async run(): Promise<void> {
    while (!this.#closed) {
      try {
        const asked = this.#count
        const entries = await this.#read(asked)
        const results = this.#handOn(entries)
        if (entries.length < asked) this.#listener.onEnd?.()
        if (entries.length === 0) this.#trim()
        else if (entries.length < asked) {
          await this.#pace.rest(results)
          // Who waits for what has come, and asks for the next, is to be sent first: a round trip is mostly waking others.
          await nextTurn()
        }
      } catch (error) {
        if (this.#closed) return
        this.#count = Math.min(this.#count, safeBatch)
        // The link reconnects by itself; what cannot be answered now is asked again.
        if (error instanceof Error && /^NOPERM\b/.test(error.message)) return this.#listener.onRefused(error)
        if (isWrongType(error)) this.#listener.onWrongType()
        await delay(isWrongType(error) ? 500 : 50)
      }
    }
  }

  #read(count: number): Promise<[Buffer, Buffer[]][]> {
    return new Promise((resolve, reject) => {
      this.#abandon = reject
      this.#client
        .xreadBuffer('COUNT', count, 'BLOCK', block, 'STREAMS', this.#stream, this.#cursor)
        // One stream, if it has something new.
        .then((reply) => resolve((reply as [Buffer, [Buffer, Buffer[]][]][] | null)?.[0]?.[1] ?? []), reject)
    })
  }

  /** Reads on from the beginning of the stream: it was made anew. */
  rewind(): void {
    this.#cursor = '0'
  }

  close(): void {
    this.#closed = true
    this.#pace.hurry()
    this.#client.disconnect()
  }

  /** Returns how many results there were. */
  #handOn(entries: readonly [Buffer, Buffer[]][]): number {
    const before = this.#untrimmed
    let results = 0
    for (const [id, fields] of entries) {
      this.#cursor = id.toString()
      const outcomes = parseOutcomes(fields)
      for (const outcome of outcomes) this.#listener.onEntry(outcome)
      if (outcomes.length === 0) this.#obey(fields)
      results += Math.max(1, outcomes.length)
      for (const field of fields) this.#untrimmed += field.length
      this.#untrimmed += entryOverhead
    }
    if (entries.length > 0) {
      const perEntry = Math.max(results / this.#most, (this.#untrimmed - before) / batchBytes) / entries.length
      this.#count = Math.max(1, Math.min(this.#most, Math.floor(1 / perEntry)))
    }
    if (this.#untrimmed > trimAfter) this.#trim()
    return results
  }

  /** The first entry of the stream is neither an outcome nor an order. */
  #obey(fields: readonly Buffer[]): void {
    const order = parseOrder(fields)
    if (order !== undefined) this.#listener.onOrder(order)
    else this.#listener.onMark?.(fields)
  }

  /** Housekeeping: if it fails, the next one does it. */
  #trim(): void {
    if (this.#closed || this.#untrimmed === 0) return
    this.#untrimmed = 0
    if (this.#keeps) return
    this.#link.client.xtrim(this.#stream, 'MINID', after(this.#cursor)).catch(() => undefined)
  }
}

/** The smallest stream id after this one. */
function after(id: string): string {
  const [time, sequence] = id.split('-')
  return `${time}-${BigInt(sequence ?? '0') + 1n}`
}
