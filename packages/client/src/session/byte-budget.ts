/**
 * Keeps what a client has in Redis within a bound: counts the bytes of each call's chunks from their submission until their
 * outcome is there, or what their outcomes take where that is more, and says which chunk may go next. What does not fit waits in the client.
 *
 * Calls with little in Redis have an eighth of the bound for themselves, so that a small one never waits behind a large one.
 * Of the large ones, one chunk may be larger than all the rest of the bound; then it goes alone.
 */
import { Backlog, type LateChunks, sizeOf } from '../calls/backlog.js'
import type { Call, PendingChunk } from '../calls/call.js'
import { type EncodedChunk, isSendable } from '../calls/chunker.js'
import { Turns } from './turns.js'

/** Where Redis has no limit. */
const generous = 512 * 1024 * 1024
/** A client's part of Redis's limit. */
const share = 1 / 8
export const smallestBudget = 1024 * 1024
/** What a chunk takes beside its payload, in Redis 7. */
const overhead = 400
/** A call with so many bytes in Redis is small, at most. */
const smallCall = 256 * 1024
/** What the small ones have for themselves. */
const smallPart = 1 / 8
/** Bytes that are encoded in their call, though there is no room for them yet. */
const mostEncoded = 32 * 1024 * 1024
/** How much the last outcome changes the average. */
const recent = 1 / 8

/** The calls of one kind, small or large. */
class Account {
  used = 0
  limit = 0
  readonly turns = new Turns()
}

/** A chunk whose turn has come, taken from those that wait. */
export interface NextChunk {
  readonly call: Call
  readonly index: number
  readonly chunk: EncodedChunk
}

export class ByteBudget {
  readonly #small = new Account()
  readonly #large = new Account()
  readonly #onRoom: () => void
  #smallCall = 0
  /** Bytes that wait, encoded. */
  #encoded = 0
  #limit: number | undefined

  /**
   * @param limit - bytes; undefined: it depends on Redis, and is told when that is known
   * @param onRoom - there may be room again, for what waits
   */
  constructor(limit: number | undefined, onRoom: () => void) {
    this.#onRoom = onRoom
    if (limit === undefined) this.#apply(smallestBudget)
    else this.limit = limit
  }

  /** Undefined until it is known. */
  get limit(): number | undefined {
    return this.#limit
  }

  set limit(limit: number) {
    this.#limit = limit
    this.#apply(limit)
  }

  #apply(limit: number): void {
    this.#small.limit = limit * smallPart
    this.#large.limit = limit - this.#small.limit
    this.#smallCall = Math.min(smallCall, this.#small.limit / 4)
    this.#tellOfRoom()
  }

  /** Bytes that a call may encode now before there is room for them. */
  get early(): number {
    return mostEncoded - this.#encoded
  }

  /** Counts a chunk that is about to be submitted, if there is room and none waits that was there before. */
  admit(call: Call, chunk: EncodedChunk): boolean {
    return call.usage.backlog === undefined && this.#take(call, sizeOf(chunk), false)
  }

  /** Has a chunk wait behind those of its call that do; resolves when none does any more. */
  wait(call: Call, index: number, chunk: EncodedChunk): Promise<void> {
    const { backlog } = call.usage
    const waiting = backlog ?? new Backlog(call, index)
    waiting.push(chunk)
    this.#encoded += sizeOf(chunk)
    if (backlog === undefined) this.#enter(waiting)
    return waiting.emptied
  }

  /**
   * Has the rest of a call wait, of which nothing is encoded.
   *
   * @param index - of its first chunk
   */
  waitLate(call: Call, index: number, late: LateChunks): void {
    const { backlog } = call.usage
    const waiting = backlog ?? new Backlog(call, index)
    waiting.pushLate(late)
    if (backlog === undefined) this.#enter(waiting)
  }

  /** The chunk that may go now, counted; undefined when none may. */
  next(): NextChunk | undefined {
    return this.#nextOf(this.#small) ?? this.#nextOf(this.#large)
  }

  /** An outcome is there: the chunk, and soon its outcome, are not in Redis any more. */
  heard({ call, size }: PendingChunk, outcome: number): void {
    const { usage } = call
    usage.bytes -= size + overhead
    if (outcome > 0) {
      const weight = outcome + overhead
      usage.outcome = usage.outcome === 0 ? weight : usage.outcome + Math.round((weight - usage.outcome) * recent)
    }
    this.#count(call, Math.max(usage.bytes, call.pending.size * usage.outcome))
    this.#tellOfRoom()
  }

  /** A call is over: nothing of it waits, and what is left in Redis is being removed. */
  ended(call: Call): void {
    const { usage } = call
    if (usage.backlog !== undefined) {
      this.#encoded -= usage.backlog.bytes
      this.#accountOf(usage.backlog.isLarge).turns.remove(usage.backlog)
      usage.backlog.drop()
      usage.backlog = undefined
    }
    this.#count(call, 0)
    this.#tellOfRoom()
  }

  #nextOf(account: Account): NextChunk | undefined {
    const backlog = account.turns.first
    if (backlog === undefined) return undefined
    const { call } = backlog
    // What cannot go is not encoded.
    if (backlog.nextSize === undefined && account.used >= account.limit) return undefined
    const before = backlog.bytes
    const { index, chunk } = backlog.peek()
    this.#encoded += backlog.bytes - before
    if (isSendable(chunk, call.header.mode) && !this.#take(call, sizeOf(chunk), true)) {
      // It may have become large while it waited: then it holds up no small one.
      if (backlog.isLarge || !this.#isLarge(call, this.#loadWith(call, sizeOf(chunk)))) return undefined
      account.turns.remove(backlog)
      this.#enter(backlog)
      return this.#nextOf(account)
    }
    this.#encoded -= sizeOf(chunk)
    backlog.shift()
    account.turns.had(backlog)
    if (backlog.length > 0) this.#enter(backlog)
    else call.usage.backlog = undefined
    return { call, index, chunk }
  }

  #enter(backlog: Backlog): void {
    const { call, nextSize } = backlog
    call.usage.backlog = backlog
    backlog.isLarge = nextSize === undefined || this.#isLarge(call, this.#loadWith(call, nextSize))
    this.#accountOf(backlog.isLarge).turns.add(backlog)
    this.#onRoom()
  }

  /** Counts one more chunk of a call, if there is room, and none waits for it unless this is its turn. */
  #take(call: Call, size: number, isItsTurn: boolean): boolean {
    const { usage } = call
    const load = this.#loadWith(call, size)
    const isLarge = this.#isLarge(call, load)
    const { used, limit, turns } = this.#accountOf(isLarge)
    if (!isItsTurn && !turns.isEmpty) return false
    const others = usage.isLarge === isLarge ? used - usage.load : used
    if (used > 0 && others + load > limit) return false
    usage.bytes += size + overhead
    this.#count(call, load)
    return true
  }

  #loadWith({ usage, pending }: Call, size: number): number {
    return Math.max(usage.bytes + size + overhead, (pending.size + 1) * usage.outcome)
  }

  /** Once it is large, it is until nothing of it is left. */
  #isLarge({ usage }: Call, load: number): boolean {
    return load > this.#smallCall || (usage.isLarge && load > 0)
  }

  #accountOf(isLarge: boolean): Account {
    return isLarge ? this.#large : this.#small
  }

  #count(call: Call, load: number): void {
    const { usage } = call
    const isLarge = this.#isLarge(call, load)
    this.#accountOf(usage.isLarge).used -= usage.load
    this.#accountOf(isLarge).used += load
    usage.load = load
    usage.isLarge = isLarge
  }

  #tellOfRoom(): void {
    if (!this.#small.turns.isEmpty || !this.#large.turns.isEmpty) this.#onRoom()
  }
}

/** The bound of a client when the user has not set one. @param maxMemory - Redis's `maxmemory`, in bytes; 0 for none */
export function defaultBudget(maxMemory: number): number {
  return maxMemory === 0 ? generous : Math.max(smallestBudget, Math.floor(maxMemory * share))
}
