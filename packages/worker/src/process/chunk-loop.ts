/**
 * The life of a worker process: it has a number of lanes, each with one chunk in hand at most, and one loop serves them
 * all: it delivers the outcomes of the lanes that have ended and takes a chunk for each that is free, in one round trip.
 * It shows its supervisor what is in hand and never renews a lock itself: a task may block this thread for as long as it
 * likes. Whatever happens to the connection is waited out; what happens to this process is the supervisor's business.
 *
 * A chunk that was twice in a process that died beside others runs alone here: nothing is taken while one is in hand, it
 * waits until the others have ended, and they with it for 2 s at most: then this process takes nothing more, and its
 * successor goes on.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CancelledError, Deferred, encodeError } from '@poolmq/shared'
import type { HandWriter } from '../line/hand.js'
import type { Heir } from '../line/messages.js'
import type { TakenChunk } from '../queue/chunk-queue.js'
import { LossLedger } from '../queue/loss-ledger.js'
import { ChunkStarter, type ChunkStarterParts, type LaneChunk, type LaneEnd } from './chunk-starter.js'
import { EndedChunks } from './ended-chunks.js'
import { InitializerFailure, type Limits } from './initializer.js'
import { type Insist, insistence } from './insistence.js'
import { Misfits } from './misfits.js'
import { Recycling } from './recycling.js'
import { RunningChunk } from './running-chunk.js'

export interface ChunkLoopParts
  extends Omit<ChunkStarterParts, 'insist' | 'misfits' | 'onSpec' | 'onMisfit' | 'mayStart'> {
  readonly pool: string
  /** Chunks that may be in hand at a time. */
  readonly lanes: number
  /** Milliseconds that a wait for a chunk lasts at most before the queue is looked at again. */
  readonly longestWait: number
  /** Worker processes that what waits is to be shared with, this one included. */
  readonly sharers: number
  /** Tells what is in hand. */
  readonly hand: HandWriter
  readonly log: (error: unknown) => void
}

/** Of a chunk that was never taken before. */
const unharmed = new LossLedger(new Map())
/** Milliseconds for which others may be kept waiting for a chunk that has to run alone. */
const patience = 2000
/** Seconds for which the next chunk is waited for that is handed over like the last one. */
const rhythm = 0.01

export class ChunkLoop {
  readonly #parts: ChunkLoopParts
  readonly #insist: Insist
  readonly #starter: ChunkStarter
  readonly #recycling = new Recycling()
  readonly #misfits: Misfits
  /** What is in the lanes. */
  readonly #chunks = new Set<LaneChunk>()
  readonly #freeLanes: number[]
  readonly #unstarted = new Set<LaneChunk>()
  readonly #outcomes: EndedChunks
  /** Lanes that may be used: those of a predecessor that runs dry are not. */
  #open = 0
  #draining = false
  #replacing = false
  /** Redis has been asked for chunks, and has not answered. */
  #taking = false
  #exchanging: Promise<void> | undefined
  /** The last chunk was handed to this process: so may the next be, as soon as Redis knows that it has ended. */
  #wasHanded = false
  /** The supervisor has been told that nothing is taken any more. */
  #hasResigned = false
  /** There may be something to take. */
  #looks = true
  #waits = false
  #news = new Deferred()
  /** The chunk that runs alone, or waits for it. */
  #suspect: LaneChunk | undefined
  #suspectWaits = false
  #standing: NodeJS.Timeout | undefined
  /** The last that was taken had to run alone, and so may the next. */
  #cautious = false
  /** Clients whose initializer has thrown here. */
  readonly #broken = new Set<string>()
  #failure: { readonly error: unknown } | undefined

  constructor(parts: ChunkLoopParts) {
    this.#parts = parts
    this.#freeLanes = Array.from({ length: parts.lanes }, (_, lane) => lane).reverse()
    this.#insist = insistence(parts.log)
    this.#outcomes = new EndedChunks({ ...parts, insist: this.#insist })
    this.#misfits = new Misfits({ ...parts, insist: this.#insist })
    this.#starter = new ChunkStarter({
      ...parts,
      insist: this.#insist,
      misfits: this.#misfits,
      onSpec: (limits) => this.limit(limits),
      onMisfit: ({ lane, taken }) => parts.hand.write(lane, taken.jobId, false),
      mayStart: (chunk) => this.#mayStart(chunk),
    })
  }

  /** So many lanes may be used from now on. */
  open(lanes: number): void {
    this.#open = lanes
    this.#look()
  }

  /** Takes a pool's limits for this process. */
  limit(limits: Limits): void {
    if (!this.#recycling.limit(limits)) return
    this.#parts.channel.send({ type: 'limits', limits: this.#recycling.limits })
  }

  /**
   * No chunk is taken any more. True when none is in hand, so that the process can exit at once.
   *
   * @param heir - the process that takes this one's seat knows of the misfit in hand
   */
  drain(heir: boolean): boolean {
    this.#misfits.drain(heir)
    this.#resign()
    return this.#chunks.size === 0
  }

  /** The running chunk is not wanted any more: its task is told, and the supervisor sees to its end. */
  cancel(jobId: string): void {
    this.#find(jobId)?.running.abort(new CancelledError('the call was cancelled'), 'drop')
  }

  /** The chunk is not this process's any more, though its task goes on: it is not waited for, and nothing is taken. */
  disown(jobId: string): void {
    const chunk = this.#find(jobId)
    if (chunk !== undefined) this.#disown(chunk)
    this.drain(false)
  }

  /** As `drain`, and the running tasks are aborted. True when none of them need be waited for. */
  abort(): boolean {
    const reason = new CancelledError('the worker process is being stopped')
    for (const chunk of [...this.#chunks]) if (!chunk.running.abort(reason, 'give back')) this.#disown(chunk)
    return this.drain(false)
  }

  /** Takes and runs chunks until it is drained, or has run as many as its pools let one worker process run. */
  async run(heir: Heir | undefined): Promise<void> {
    const { queue, token, clock, channel } = this.#parts
    const inherited = heir && (await this.#insist(() => queue.takeOver(heir, token)))
    if (inherited !== undefined) await this.#assign([inherited])
    while (this.#chunks.size > 0 || !this.#draining) {
      if (!this.#outcomes.isEmpty || (this.#looks && this.#want(0) > 0)) {
        this.#exchanging = this.#exchange()
        await this.#exchanging
      } else {
        // Something changes: a lane ends, a chunk may be there, an order comes.
        if (!this.#waits && this.#want(0) > 0) this.#listen()
        await this.#news.promise
        this.#news = new Deferred()
      }
      if (this.#failure !== undefined) throw this.#failure.error
    }
    clock.stop()
    channel.send({ type: 'done' })
  }

  #find(jobId: string): LaneChunk | undefined {
    for (const chunk of this.#chunks) if (chunk.taken.jobId === jobId) return chunk
    return undefined
  }

  /** How many chunks may be taken once so many lanes have been freed. */
  #want(freed: number): number {
    if (this.#draining || this.#suspect !== undefined || this.#misfits.inHand > 0) return 0
    const free = Math.min(this.#open - this.#chunks.size + freed, this.#recycling.chunksLeft - this.#unstarted.size)
    return Math.max(0, this.#cautious ? Math.min(free, 1) : free)
  }

  #look(): void {
    this.#looks = true
    this.#news.resolve()
  }

  /** Waits for a chunk, while lanes run. @param isAlone - only for one that is handed to this process, and not for long */
  #listen(isAlone = false): void {
    const { queue, store, token, longestWait } = this.#parts
    const began = performance.now()
    this.#waits = true
    const wait = () => queue.waitForChunk(token, isAlone ? rhythm : longestWait / 1000, isAlone)
    void this.#insist(wait).then((handed) => {
      this.#waits = false
      if (handed !== undefined) void this.#receive(handed, performance.now() - began)
      // All lanes have been filled meanwhile: what woke this process is for another.
      else if (!isAlone && this.#want(0) === 0) store.wakeAnother().catch(this.#parts.log)
      // Redis has been asked what else there is as this began.
      if (isAlone && handed === undefined) this.#news.resolve()
      else this.#look()
    })
  }

  /** A chunk was handed to this process within the last `age` milliseconds. */
  async #receive(handed: TakenChunk, age: number): Promise<void> {
    const { store, token, longestWait } = this.#parts
    // This process has been held up: the lock may have lapsed, and the chunk be another's.
    if (age > 1.5 * longestWait && !(await this.#insist(() => store.isHeld(handed.jobId, token)))) return
    // What has been asked for beside it has its lane already.
    if (this.#taking) await this.#exchanging
    this.#wasHanded = true
    await (this.#taking || this.#want(0) === 0 ? this.#giveBack([handed]) : this.#assign([handed]))
  }

  async #exchange(): Promise<void> {
    const { hand, sharers } = this.#parts
    // What else ends in this turn of the event loop goes with it.
    if (this.#chunks.size > 1) await nextTurn()
    const batch = this.#outcomes.next()
    const want = this.#want(batch.length)
    this.#taking = want > 0
    const exchanged = this.#outcomes.exchange(batch, want, this.#chunks.size === batch.length)
    // Redis is asked both while it is awake, and the next chunk need not wait for this process to hear that there is none.
    if (this.#wasHanded && want > 0 && !this.#waits) this.#listen(true)
    this.#wasHanded = false
    // Told each time, while Redis is at it: that is how the supervisor knows that this process listens.
    if (this.#chunks.size === 0) hand.write(0, undefined)
    const { taken, rest } = await exchanged
    // The lanes that were freed last are filled first; they tell what is in them then.
    for (const [i, { chunk }] of batch.entries()) this.#free(chunk, i < batch.length - taken.length)
    if (batch.length > 0) this.#askForSuccessor()
    // What is to be shared is taken when the others have had the chance.
    if (want > 0) this.#looks = rest === 'more' && taken.length < want && sharers === 1
    const assigned = this.#assign(want > 0 ? taken : [])
    if (assigned !== undefined) await assigned
    if (want === 0 && taken.length > 0) await this.#giveBack(taken)
    if (rest === 'bullmq' && this.#want(0) > 0) await this.#takeWithBullMQ()
  }

  async #takeWithBullMQ(): Promise<void> {
    const { queue, store, token, lanes } = this.#parts
    this.#taking = true
    const taken = await this.#insist(() => queue.take(token))
    if (taken !== undefined && lanes > 1) {
      await this.#insist(() => store.noteFields(taken.jobId, new Map([['lanes', String(lanes)]])))
    }
    this.#looks = taken !== undefined
    await this.#assign(taken === undefined ? [] : [taken])
  }

  /** Starts what was taken. One that has to run alone is kept until it is, and what came after it goes back. */
  #assign(taken: readonly TakenChunk[], isSwapped = false): Promise<void> | undefined {
    const { lanes, pool } = this.#parts
    const begun: LaneChunk[] = []
    let others: readonly TakenChunk[] = []
    for (const [i, one] of taken.entries()) {
      const losses = one.fields.size === 0 ? unharmed : new LossLedger(one.fields, lanes)
      const running = new RunningChunk(pool, one.taskId, one.jobId)
      const chunk: LaneChunk = { lane: this.#freeLanes.pop() ?? 0, taken: one, losses, running, isSwapped }
      this.#chunks.add(chunk)
      this.#unstarted.add(chunk)
      this.#cautious = losses.isSuspect && lanes > 1
      if (this.#cautious) {
        this.#keep(chunk)
        others = taken.slice(i + 1)
        break
      }
      this.#parts.hand.put(chunk.lane, one.jobId)
      begun.push(chunk)
    }
    // All of them are told before the first can keep the event loop to itself.
    if (begun.length > 0) this.#parts.hand.show()
    for (const chunk of begun) this.#start(chunk)
    this.#taking = false
    if (this.#draining) this.#tellLast()
    return others.length === 0 ? undefined : this.#giveBack(others)
  }

  /** To be taken next, in this order. */
  async #giveBack(taken: readonly TakenChunk[]): Promise<void> {
    for (const one of taken.toReversed()) await this.#starter.giveBack(one)
  }

  #keep(chunk: LaneChunk): void {
    const { hand } = this.#parts
    hand.write(chunk.lane, chunk.taken.jobId, false)
    // Lanes that were to be filled at once stay empty.
    for (const lane of this.#freeLanes) hand.write(lane, undefined)
    this.#suspect = chunk
    this.#suspectWaits = true
    this.#standing = setTimeout(() => void this.#giveWay(), patience)
    this.#startSuspect()
  }

  #startSuspect(): void {
    if (!this.#suspectWaits || this.#suspect === undefined || this.#chunks.size > 1) return
    this.#suspectWaits = false
    this.#parts.hand.write(this.#suspect.lane, this.#suspect.taken.jobId)
    this.#start(this.#suspect)
  }

  /** Others have waited long enough: this process takes nothing more, and its successor need not wait. */
  async #giveWay(): Promise<void> {
    const suspect = this.#suspect
    if (suspect === undefined) return
    this.#resign()
    if (!this.#suspectWaits) return
    this.#suspectWaits = false
    await this.#leave(suspect)
  }

  #start(chunk: LaneChunk): void {
    this.#parts.clock.start()
    this.#starter.run(chunk).then(
      (end) => this.#end(chunk, end),
      (error: unknown) => this.#fail(chunk, error),
    )
  }

  #mayStart(chunk: LaneChunk): boolean {
    this.#unstarted.delete(chunk)
    // Failed chunks count as well, as in Python.
    const may = this.#recycling.startChunk()
    if (this.#recycling.chunksLeft <= 0) this.#resign()
    return may
  }

  #end(chunk: LaneChunk, end: LaneEnd): void {
    if (chunk.running.disowned) return
    if (end === undefined) {
      this.#free(chunk)
      this.#look()
    } else if ('instead' in end) {
      this.#free(chunk, false)
      void this.#assign([end.instead], true)
      this.#look()
    } else {
      this.#outcomes.push(chunk, end.outcome, end.gathers)
      this.#news.resolve()
    }
  }

  /** The initializer of its pool has thrown: such a process is given up, and what else is in hand may end. */
  #fail(chunk: LaneChunk, error: unknown): void {
    if (chunk.running.disowned) return
    if (!(error instanceof InitializerFailure) || this.#chunks.size === 1) {
      this.#failure ??= { error }
      this.#news.resolve()
      return
    }
    const { clientId, key, began, reason } = error
    if (!this.#broken.has(clientId)) {
      this.#broken.add(clientId)
      this.#parts.channel.send({ type: 'initializer-failed', clientId, key, began, error: encodeError(reason) })
    }
    this.#resign()
    void this.#leave(chunk)
  }

  async #leave(chunk: LaneChunk): Promise<void> {
    await this.#starter.giveBack(chunk.taken)
    this.#free(chunk)
    this.#look()
  }

  /** Nothing is taken any more, and a successor is to start. */
  #resign(): void {
    this.#draining = true
    if (!this.#taking) this.#tellLast()
    this.#news.resolve()
  }

  #tellLast(): void {
    if (this.#hasResigned) return
    this.#hasResigned = true
    this.#parts.channel.send({ type: 'last' })
  }

  #askForSuccessor(): void {
    if (this.#draining || this.#replacing || !this.#recycling.isDue()) return
    this.#replacing = true
    this.#parts.channel.send({ type: 'replace' })
  }

  /** @param tells - false when the lane is filled again at once */
  #free(chunk: LaneChunk, tells = true): void {
    if (!this.#chunks.delete(chunk)) return
    const { hand, clock, channel } = this.#parts
    this.#freeLanes.push(chunk.lane)
    this.#unstarted.delete(chunk)
    if (tells) hand.write(chunk.lane, undefined)
    if (chunk === this.#suspect) {
      clearTimeout(this.#standing)
      this.#suspect = undefined
      this.#looks = true
    }
    if (this.#chunks.size === 0) clock.stop()
    else if (this.#draining) channel.send({ type: 'freed' })
    this.#startSuspect()
  }

  #disown(chunk: LaneChunk): void {
    chunk.running.disowned = true
    this.#outcomes.drop(chunk)
    this.#free(chunk)
  }
}
