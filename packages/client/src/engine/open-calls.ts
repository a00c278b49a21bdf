/**
 * The calls of a client that are not over. What is heard of a chunk finds its call here, once; a call that ends is
 * forgotten, with what nobody waits for any more. The process is kept alive by open calls and by nothing else.
 */
import {
  type CallReport,
  type ChunkId,
  decodeList,
  type OutcomeEntry,
  type ProcessAnchor,
  parseChunkId,
  type SharedContent,
} from '@poolmq/shared'
import { type Call, type ChunkResult, failedChunk, mergeOutcome, type PendingChunk } from '../calls/call.js'
import type { ByteBudget } from '../session/byte-budget.js'
import type { FairShare } from '../session/fair-share.js'

/** Chunks that a map waits for at least when it is far from its end. */
const farFromEnd = 32
/** What WorkerLostError is called where it travels. */
const workerLost = 'poolmq:WorkerLostError'

export class OpenCalls {
  readonly #clientId: string
  readonly #anchor: ProcessAnchor
  readonly #budget: ByteBudget
  readonly #onUnwanted: (call: Call) => void
  readonly #onOutrun: (jobId: string) => void
  readonly #share: FairShare | undefined
  readonly #calls = new Map<number, Call>()
  /** Resolved and renewed as the last call ends. */
  #idle: (() => void)[] = []
  #underWay = 0
  #heard = 0

  /**
   * @param onUnwanted - told of a call that ended while chunks of it were still pending
   * @param onOutrun - told of a copy of a chunk when the other one's outcome is there
   * @param share - told of what chunks took; undefined where nobody shares
   */
  constructor(
    clientId: string,
    anchor: ProcessAnchor,
    budget: ByteBudget,
    onUnwanted: (call: Call) => void,
    onOutrun: (jobId: string) => void,
    share?: FairShare,
  ) {
    this.#onOutrun = onOutrun
    this.#share = share
    this.#clientId = clientId
    this.#anchor = anchor
    this.#budget = budget
    this.#onUnwanted = onUnwanted
  }

  /** How many there are. */
  get size(): number {
    return this.#calls.size
  }

  /** Chunks of them that nothing has been heard of. */
  get underWay(): number {
    return this.#underWay
  }

  /** Chunks that have come back so far. */
  get heard(): number {
    return this.#heard
  }

  /** Whether nobody sees a result before many others: there are maps only, each far from its end. */
  get canGather(): boolean {
    for (const { header, pending } of this.#calls.values()) {
      if (header.mode === 'each' || pending.size < farFromEnd) return false
    }
    return true
  }

  add(call: Call): void {
    this.#calls.set(call.number, call)
    this.keepAwake(call, true)
  }

  has(call: Call): boolean {
    return this.#calls.has(call.number)
  }

  /** From now on, an outcome of this chunk finds its call. */
  expect(chunk: PendingChunk): void {
    chunk.call.pending.set(chunk.index, chunk)
    this.#underWay++
  }

  /** The chunks that Redis has confirmed and that nothing has been heard of. */
  *sent(): Iterable<PendingChunk> {
    for (const call of this.#calls.values()) {
      for (const chunk of call.pending.values()) {
        if (chunk.sent && !chunk.arriving) yield chunk
        const { backup } = chunk
        if (backup?.sent && !backup.arriving) yield backup
      }
    }
  }

  /** The chunk of this id, while nothing has been heard of it. */
  awaited(jobId: string): PendingChunk | undefined {
    const id = parseChunkId(jobId)
    if (id?.clientId !== this.#clientId) return undefined
    const chunk = this.#calls.get(id.call)?.pending.get(id.index)
    return chunk === undefined || chunk.copy === id.copy ? chunk : chunk.backup
  }

  /** The shared values that they hold. */
  *shared(): Iterable<SharedContent> {
    for (const call of this.#calls.values()) yield* call.shared.values()
  }

  /** The ids of all chunks that nothing has been heard of. */
  *pendingIds(): Iterable<string> {
    for (const call of this.#calls.values()) yield* call.pendingIds()
  }

  /** Hands an outcome to its call. A chunk can run twice (its host was lost after it had delivered): one counts. */
  hear(entry: OutcomeEntry): void {
    const id = parseChunkId(entry.jobId)
    if (id === undefined || id.clientId !== this.#clientId) return
    const call = this.#calls.get(id.call)
    const pending = call?.pending.get(id.index)
    if (call === undefined || pending === undefined) return
    const isOnly = pending.copy === id.copy && pending.backup === undefined
    if (!isOnly && !this.#decides(pending, id.copy, entry.outcome)) return
    call.pending.delete(id.index)
    this.#underWay--
    this.#heard++
    const result = resultOf(pending, entry.outcome)
    this.#budget.heard(pending, result.characters)
    this.#share?.heard(pending.taskId, pending.chunk.length, result.duration)
    this.deliver(call, id.index, result)
  }

  /**
   * Of a chunk of which two copies run, the first outcome counts, and the other is stopped. But what befell one of them only
   * (its worker processes died, its host has no such task) leaves the chunk to the other, which is then the only one, as long
   * as that is known to be there.
   */
  #decides(chunk: PendingChunk, copy: ChunkId['copy'], outcome: OutcomeEntry['outcome']): boolean {
    const { backup } = chunk
    const heard = chunk.copy === copy ? chunk : backup
    const other = heard === chunk ? backup : chunk
    if (heard?.copy !== copy) return false // of one that was given up
    if (other === undefined) return true
    if (other.sent && isOfThePlace(outcome)) {
      other.backup = undefined
      chunk.call.pending.set(chunk.index, other)
      return false
    }
    this.#onOutrun(other.jobId)
    return true
  }

  deliver(call: Call, index: number, result: ChunkResult): void {
    if (!this.has(call)) return
    call.count(result)
    try {
      call.collector.take(index, result)
    } catch (error) {
      // Whatever went wrong in there, nobody is to wait for it.
      this.fail(call, error)
    }
  }

  /** How far each call is. */
  get reports(): CallReport[] {
    return [...this.#calls.values()].map((call) => call.report)
  }

  /** The open call of this number. */
  find(number: number): Call | undefined {
    return this.#calls.get(number)
  }

  /** The call has all it waited for, or nobody waits for it any more. */
  end(call: Call): void {
    if (!this.#calls.delete(call.number)) return
    this.#budget.ended(call)
    for (const act of call.atEnd.splice(0)) act()
    this.#underWay -= call.pending.size
    if (call.pending.size > 0) this.#onUnwanted(call)
    this.keepAwake(call, false)
    if (this.#calls.size > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  fail(call: Call, error: unknown): void {
    if (!this.has(call)) return
    call.failure = error
    call.collector.fail(error)
    this.end(call)
  }

  failAll(error: unknown): void {
    for (const call of [...this.#calls.values()]) this.fail(call, error)
  }

  /** Whether this call keeps the process alive: it does while it runs, or somebody waits for its results. */
  keepAwake(call: Call, awake: boolean): void {
    if (awake && this.has(call)) this.#anchor.hold(call)
    else this.#anchor.release(call)
  }

  /** Whether all that they wait for is the user's own code: callbacks that have not ended. */
  get areWithUser(): boolean {
    for (const call of this.#calls.values()) if (!call.isWithUser()) return false
    return true
  }

  /** Resolves when there is none. */
  async idle(): Promise<void> {
    const holder = {}
    this.#anchor.hold(holder)
    while (this.#calls.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
    this.#anchor.release(holder)
  }
}

/** Whether this says more of where a chunk ran than of its task. */
function isOfThePlace(outcome: OutcomeEntry['outcome']): boolean {
  if (outcome instanceof Error) return true
  return outcome.failures.some(([offset, { classes }]) => offset === -1 || classes.includes(workerLost))
}

function resultOf(pending: PendingChunk, outcome: OutcomeEntry['outcome']): ChunkResult {
  const { length } = pending.chunk
  if (outcome instanceof Error) return failedChunk(length, outcome)
  try {
    return mergeOutcome(pending, decodeList(outcome.payload), outcome)
  } catch (error) {
    return failedChunk(length, error)
  }
}
