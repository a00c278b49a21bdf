/**
 * The life of a worker process: take a chunk, see that its pool is initialized, run it, deliver its outcome, take the
 * next. It shows its supervisor which chunk is in hand and never renews a lock itself: a task may block this thread for
 * as long as it likes. Whatever happens to the connection is waited out; what happens to this process is the
 * supervisor's business.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  type BlobsPayload,
  CancelledError,
  formatOutcome,
  isRefusal,
  type Outcome,
  outcomeApart,
  type PoolKeys,
  ProtocolError,
  parseChunk,
  parseChunkId,
  type RedisLink,
  type TaskFunction,
  taskIds,
} from '@poolmq/shared'
import type { HandWriter } from '../line/hand.js'
import type { Heir, SupervisorChannel } from '../line/messages.js'
import type { ChunkQueue, TakenChunk } from '../queue/chunk-queue.js'
import type { ChunkStore } from '../queue/chunk-store.js'
import { LossLedger } from '../queue/loss-ledger.js'
import type { PieceStore } from '../queue/piece-store.js'
import { liveHosts } from '../queue/presence.js'
import { failedOutcome, runChunk } from './chunk-runner.js'
import { type Initializer, InitializerFailure, type KnownSpec } from './initializer.js'
import { Misfits } from './misfits.js'
import { Recycling } from './recycling.js'
import { type Abort, RunningChunk } from './running-chunk.js'
import { unknownTask } from './unknown-task.js'

/** Milliseconds that a chunk which cannot be run here and now is put off. */
const putOffPause = 200

export interface ChunkLoopParts {
  readonly pool: string
  readonly token: string
  /** Milliseconds that a wait for a chunk lasts at most before the queue is looked at again. */
  readonly longestWait: number
  readonly queue: ChunkQueue
  readonly store: ChunkStore
  readonly pieces: PieceStore
  readonly link: RedisLink
  readonly keys: PoolKeys
  readonly initializer: Initializer
  readonly channel: SupervisorChannel
  /** Tells which chunk is in hand. */
  readonly hand: HandWriter
  /** The task of a client's chunk, when this worker has it. @throws ModuleError when the module meant does not load. */
  readonly findTask: (taskId: string, clientId: string, module: string | undefined) => Promise<TaskFunction | undefined>
  readonly log: (error: unknown) => void
}

export class ChunkLoop {
  readonly #parts: ChunkLoopParts
  readonly #recycling = new Recycling()
  #replacing = false
  #draining = false
  readonly #misfits: Misfits
  /** What was taken instead of a misfit. */
  #swapped: TakenChunk | undefined
  /** Set while a chunk is in hand. */
  #running: RunningChunk | undefined

  constructor(parts: ChunkLoopParts) {
    this.#parts = parts
    this.#misfits = new Misfits({ ...parts, insist: (action) => this.#insist(action) })
  }

  /**
   * No chunk is taken any more. True when none is in hand, so that the process can exit at once.
   *
   * @param heir - the process that takes this one's seat knows of the misfit in hand
   */
  drain(heir: boolean): boolean {
    this.#draining = true
    this.#misfits.drain(heir)
    return this.#running === undefined
  }

  /** The running chunk is not wanted any more: its task is told, and the supervisor sees to its end. */
  cancel(jobId: string): void {
    if (this.#running?.jobId === jobId) this.#running.abort(new CancelledError('the call was cancelled'), 'drop')
  }

  /** As `drain`, and the running task is aborted. True when it need not be waited for. */
  abort(): boolean {
    this.#draining = true
    const reason = new CancelledError('the worker process is being stopped')
    return this.#running === undefined || !this.#running.abort(reason, 'give back')
  }

  /** Takes and runs chunks until it is drained, or has run as many as its pools let one worker process run. */
  async run(heir: Heir | undefined): Promise<void> {
    const { queue, token } = this.#parts
    let next = heir && (await this.#insist(() => queue.takeOver(heir, token)))
    while (!this.#draining || next !== undefined) {
      next ??= await this.#wait()
      if (next !== undefined) next = await this.#process(next)
    }
    this.#parts.hand.write(undefined)
    this.#parts.channel.send({ type: 'done' })
  }

  async #wait(): Promise<TakenChunk | undefined> {
    const { queue, token, hand, longestWait } = this.#parts
    while (!this.#draining) {
      // Told again each time: that is how the supervisor knows that this process listens.
      hand.write(undefined)
      const taken = await this.#insist(() => queue.take(token))
      if (taken !== undefined) return taken
      await this.#insist(() => queue.waitForChunk(longestWait / 1000))
    }
    return undefined
  }

  async #process(taken: TakenChunk): Promise<TakenChunk | undefined> {
    const { hand, pool } = this.#parts
    const isSwapped = taken === this.#swapped
    this.#swapped = undefined
    this.#running = new RunningChunk(pool, taken.taskId, taken.jobId)
    hand.write(taken.jobId)
    try {
      const outcome = await this.#outcome(taken, this.#running, isSwapped)
      if (outcome === undefined) return this.#swapped
      const { aborted } = this.#running
      if (aborted !== undefined) return await this.#leave(taken, aborted.then)
      this.#askForSuccessor()
      return await this.#deliver(taken, outcome)
    } finally {
      this.#running = undefined
    }
  }

  async #outcome(taken: TakenChunk, running: RunningChunk, isSwapped: boolean): Promise<Outcome | undefined> {
    const { store, initializer } = this.#parts
    try {
      const id = parseChunkId(taken.jobId)
      if (id === undefined) throw new ProtocolError(`a chunk whose id is not ours: ${JSON.stringify(taken.jobId)}`)
      if (taken.data === undefined) return await this.#dropLost(taken)
      const chunk = parseChunk(taken.data)
      const broken = initializer.brokenBy(id.clientId)
      if (broken !== undefined) throw broken
      const task = await this.#parts.findTask(taken.taskId, id.clientId, chunk.module)
      if (task === undefined) return await this.#passOn(taken)
      if (chunk.spec) {
        const spec = await this.#insist(() => initializer.ensure(id.clientId), isOfThePool)
        if (spec === undefined) return await this.#putOff(taken)
        if (spec.key !== undefined && !initializer.isSuited(spec)) {
          this.#swapped = await this.#misfits.leave(taken, spec.key)
          return undefined
        }
        this.#limit(spec.limits)
      }
      this.#misfits.ran(isSwapped)
      this.#startChunk()
      const losses = new LossLedger(taken.fields)
      if (losses.updates.size > 0) await this.#insist(() => store.noteFields(taken.jobId, losses.updates))
      const tellItem = (index: number, limit: number) =>
        this.#parts.channel.send({ type: 'item', jobId: taken.jobId, index, limit })
      const beforeItem = async (index: number) => {
        if (losses.persistent) await this.#insist(() => store.noteFields(taken.jobId, new Map([['at', String(index)]])))
        tellItem(index, 0)
      }
      const payload = chunk.payload.encoding === 'apart' ? await this.#fetch(taken.jobId) : chunk.payload
      if (payload === undefined) return await this.#dropLost(taken)
      return await runChunk({ task, chunk: { ...chunk, payload }, losses, beforeItem, tellItem, running })
    } catch (error) {
      if (error instanceof InitializerFailure) throw error
      return failedOutcome(error)
    }
  }

  #limit(spec: KnownSpec['limits']): void {
    if (!this.#recycling.limit(spec)) return
    this.#parts.channel.send({ type: 'limits', limits: this.#recycling.limits })
  }

  /** Failed chunks count as well, as in Python. */
  #startChunk(): void {
    if (!this.#recycling.startChunk()) return
    this.#draining = true
    this.#parts.channel.send({ type: 'last' })
  }

  #askForSuccessor(): void {
    if (this.#draining || this.#replacing || !this.#recycling.isDue()) return
    this.#replacing = true
    this.#parts.channel.send({ type: 'replace' })
  }

  /** Leaves a chunk to a worker that knows its task. @throws UnknownTaskError when no live one does. */
  async #passOn(taken: TakenChunk): Promise<undefined> {
    const { link, keys } = this.#parts
    const hosts = await this.#insist(() => liveHosts(link, keys))
    const known = new Set([...taskIds(), ...hosts.flatMap((host) => host.tasks)])
    if (!known.has(taken.taskId)) throw unknownTask(taken.taskId, [...known])
    return this.#putOff(taken)
  }

  /**
   * Leaves a chunk for later: another worker must take it. One whose client has no lease is dropped: if that client lives, it
   * writes its spec again and misses the chunk.
   */
  async #putOff(taken: TakenChunk): Promise<undefined> {
    const { link, keys, store, token } = this.#parts
    const clientId = parseChunkId(taken.jobId)?.clientId ?? ''
    if ((await this.#insist(() => link.client.exists(keys.results(clientId)))) === 1) {
      await this.#insist(() => store.putOff(taken.jobId, token, putOffPause))
    } else {
      await this.#insist(() => store.dropHeld(taken.jobId, token))
    }
  }

  /** A payload that is beside its chunk; undefined when a part of it is missing. */
  #fetch(jobId: string): Promise<BlobsPayload | undefined> {
    return this.#insist(
      () => this.#parts.pieces.getPayload(jobId),
      (error) => error instanceof ProtocolError,
    )
  }

  /**
   * What becomes of a chunk whose tasks were told to end. Whatever they have thrown or returned since is no outcome: it is
   * run elsewhere when this process was to end, and is not run again when nobody wants it.
   */
  async #leave({ jobId }: TakenChunk, how: Abort['then']): Promise<undefined> {
    const { store, token } = this.#parts
    await this.#insist<unknown>(() => (how === 'drop' ? store.dropHeld(jobId, token) : store.giveBack(jobId, token)))
  }

  /**
   * Removes a chunk of which something is missing: its hash or its payload has expired, or was lost with Redis. That is no fault of the call:
   * its client, if it lives, misses the chunk and adds it again.
   */
  async #dropLost(taken: TakenChunk): Promise<undefined> {
    await this.#insist(() => this.#parts.store.dropHeld(taken.jobId, this.#parts.token))
  }

  /** The outcome, with what is large in it stored beside it. */
  async #withoutLarge(jobId: string, outcome: Outcome): Promise<Outcome> {
    const large = outcomeApart(outcome)
    if (large === undefined) return outcome
    const name = await this.#insist(() => this.#parts.pieces.putOutcome(jobId, large))
    // Without a name nobody waits for it, and it will not be delivered.
    return { payload: { encoding: 'apart', name: name ?? '' }, failures: [], duration: outcome.duration }
  }

  /**
   * A client whose stream is gone never sees the outcome; if it lives (Redis has lost the stream), it misses the chunk. A
   * chunk that cannot be completed (its hash is somebody else's making) is removed: it must not hold this process.
   */
  async #deliver(taken: TakenChunk, outcome: Outcome): Promise<TakenChunk | undefined> {
    const { queue, store, token, log } = this.#parts
    const entry = formatOutcome(taken.jobId, await this.#withoutLarge(taken.jobId, outcome))
    try {
      const { next } = await this.#insist(() => queue.complete(taken.jobId, token, entry, !this.#draining), isRefusal)
      return next
    } catch (error) {
      log(error)
      await this.#insist(() => store.dropHeld(taken.jobId, token), isRefusal).catch(log)
      return undefined
    }
  }

  /**
   * Does it until Redis lets it: the supervisor ends this process when there is no more point in it.
   *
   * @param isFinal - errors that are no reason to ask again
   */
  async #insist<T>(action: () => Promise<T>, isFinal = (_error: unknown): boolean => false): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        return await action()
      } catch (error) {
        if (isFinal(error)) throw error
        if (tries % 10 === 0) this.#parts.log(error)
        await delay(Math.min(50 * 2 ** tries, 1000))
      }
    }
  }
}

/** What the user's own code has thrown, or a damaged record. */
function isOfThePool(error: unknown): boolean {
  return error instanceof InitializerFailure || error instanceof ProtocolError
}
