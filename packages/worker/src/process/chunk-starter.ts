/**
 * What happens to a chunk between its arrival in a lane and its outcome: its task is looked up, its pool's initializer has
 * run, its losses are read, its items are run. A chunk that is not for this process is left to others. It delivers nothing,
 * and does not know of the lanes beside its own.
 */
import { hostname } from 'node:os'
import {
  type BlobsPayload,
  type CallHeader,
  type Chunk,
  type ChunkId,
  InitializerError,
  isDurableId,
  type Outcome,
  outcomeApart,
  type PoolKeys,
  ProtocolError,
  parseChunk,
  parseChunkId,
  type RedisLink,
  specIdOf,
  type TaskFunction,
  taskIds,
  taskVersions,
  versionsOf,
} from '@poolmq/shared'
import type { SupervisorChannel } from '../line/messages.js'
import type { ChunkQueue, TakenChunk } from '../queue/chunk-queue.js'
import type { ChunkStore } from '../queue/chunk-store.js'
import type { LossLedger } from '../queue/loss-ledger.js'
import type { PieceStore } from '../queue/piece-store.js'
import { liveHosts } from '../queue/presence.js'
import { failedOutcome, runChunk } from './chunk-runner.js'
import { mayRunCopy } from './copy-place.js'
import { type Initializer, InitializerFailure, type Limits } from './initializer.js'
import type { Insist } from './insistence.js'
import type { LoopClock } from './loop-clock.js'
import type { Misfits } from './misfits.js'
import type { RunObserver } from './run-observer.js'
import type { Abort, RunningChunk } from './running-chunk.js'
import type { SharedValueCache } from './shared-values.js'
import { type TaskSource, unknownTask, unknownVersion } from './unknown-task.js'

/** Milliseconds that a chunk which cannot be run here and now is put off. */
const putOffPause = 200
/** The same where this host waits before it tries again; another may be able to run it. */
const longestPutOff = 2000

export interface ChunkStarterParts {
  readonly token: string
  readonly queue: ChunkQueue
  readonly store: ChunkStore
  readonly pieces: PieceStore
  readonly shared: SharedValueCache
  readonly link: RedisLink
  readonly keys: PoolKeys
  readonly initializer: Initializer
  readonly channel: SupervisorChannel
  readonly clock: LoopClock
  readonly observer: RunObserver
  readonly misfits: Misfits
  readonly insist: Insist
  /** The task of a client's chunk, when this worker has it. @throws ModuleError when the module meant does not load. */
  readonly findTask: (
    taskId: string,
    clientId: string,
    meant: CallHeader,
  ) => TaskFunction | Promise<TaskFunction | undefined>
  /** The pool of this chunk has limits for the process. */
  readonly onSpec: (limits: Limits) => void
  /** The chunk cannot run here, and is in hand until another has it. */
  readonly onMisfit: (chunk: LaneChunk) => void
  /** The chunk is about to run; false: the process may run no more, and it is given back. */
  readonly mayStart: (chunk: LaneChunk) => boolean
}

/** A chunk in a lane. */
export interface LaneChunk {
  readonly lane: number
  readonly taken: TakenChunk
  readonly losses: LossLedger
  readonly running: RunningChunk
  /** It was taken instead of a misfit. */
  readonly isSwapped: boolean
}

/**
 * What a lane ends with: an outcome, and whether its client reads several in one entry; or another chunk; undefined: the chunk was
 * left to others.
 */
export type LaneEnd =
  | { readonly outcome: Outcome; readonly gathers?: boolean }
  | { readonly instead: TakenChunk }
  | undefined

export class ChunkStarter {
  readonly #parts: ChunkStarterParts

  constructor(parts: ChunkStarterParts) {
    this.#parts = parts
  }

  /**
   * Sees a chunk to its end in this process.
   *
   * @throws InitializerFailure when the initializer of its pool throws.
   */
  async run(inLane: LaneChunk): Promise<LaneEnd> {
    const { lane, taken, losses, running } = inLane
    const { store, initializer, insist, channel, clock, misfits } = this.#parts
    let outcome: Outcome
    let gathers = false
    try {
      const id = parseChunkId(taken.jobId)
      if (id === undefined) throw new ProtocolError(`a chunk whose id is not ours: ${JSON.stringify(taken.jobId)}`)
      if (taken.data === undefined) return await this.#dropLost(taken)
      const work = parseChunk(taken.data)
      gathers = work.gathers
      const found = this.#parts.findTask(taken.taskId, id.clientId, work)
      const task = typeof found === 'function' ? found : await found
      if (task === undefined) return await this.#passOn(taken, taken.taskId, work.version)
      if (id.copy > 0 && !(await this.#mayRunCopy(id, taken, work))) return await this.#putOff(taken)
      if (work.spec) {
        const fitness = await insist(() => initializer.ensure(specIdOf(id)), isOfThePool)
        if (fitness === undefined) return await this.#putOff(taken)
        // It was there before the chunk, and nobody need be there who would send it again: who has the items does.
        if (fitness.fit === 'later' && fitness.missing && isDurableId(id.clientId)) return await this.#dropLost(taken)
        if (fitness.fit === 'later') return await this.#putOff(taken, Math.min(fitness.milliseconds, longestPutOff))
        if (fitness.fit === 'elsewhere') return await this.#passOn(taken, fitness.task, fitness.version)
        if (fitness.fit === 'never') {
          this.#parts.onMisfit(inLane)
          const instead = await misfits.leave(taken, fitness.key)
          return instead && { instead }
        }
        this.#parts.onSpec(fitness.limits)
      }
      misfits.ran(inLane.isSwapped)
      if (!this.#parts.mayStart(inLane)) return await this.giveBack(taken)
      if (losses.updates.size > 0) await insist(() => store.noteFields(taken.jobId, losses.updates))
      const tellItem = (index: number, limit: number) => {
        if (!running.disowned) channel.send({ type: 'item', lane, jobId: taken.jobId, index, limit })
      }
      const beforeItem = async (index: number) => {
        if (losses.persistent) await insist(() => store.noteFields(taken.jobId, new Map([['at', String(index)]])))
        tellItem(index, 0)
      }
      const chunk = work.payload.encoding === 'apart' ? await this.#whole(work, taken.jobId) : work
      if (chunk === undefined) return await this.#dropLost(taken)
      const shared = work.shared === undefined ? undefined : await this.#parts.shared.have(work.shared)
      if (work.shared !== undefined && shared === undefined) return await this.#dropLost(taken)
      const observer = this.#parts.observer.of(taken, chunk)
      outcome = await runChunk({ task, chunk, shared, losses, beforeItem, tellItem, running, clock, observer })
    } catch (error) {
      if (error instanceof InitializerFailure) throw error
      outcome = failedOutcome(error)
    }
    const { aborted, disowned } = running
    if (disowned) return { outcome }
    if (aborted !== undefined) return await this.#leave(taken, aborted.then)
    const large = outcomeApart(outcome)
    return large === undefined ? { outcome, gathers } : { outcome: await this.#setApart(taken.jobId, outcome, large) }
  }

  #mayRunCopy(id: ChunkId, { taskId }: TakenChunk, { version }: CallHeader): Promise<boolean> {
    const { link, keys, token, insist } = this.#parts
    return insist(() => mayRunCopy(link, keys, token, id, { taskId, version }))
  }

  /** Gives a chunk back that was not started, to be taken next. */
  async giveBack(taken: TakenChunk): Promise<undefined> {
    const { store, token, insist } = this.#parts
    await insist(() => store.giveBack(taken.jobId, token))
  }

  /** Leaves a chunk to a worker that knows the task, in that version. @throws UnknownTaskError when no live one does. */
  async #passOn(taken: TakenChunk, taskId: string, version: string | undefined): Promise<undefined> {
    const { link, keys, insist } = this.#parts
    const hosts: TaskSource[] = await insist(() => liveHosts(link, keys))
    // A process knows what its Pool has begun to use since it showed itself.
    const here = { host: hostname(), pid: process.pid, tasks: taskIds(), taskVersions: taskVersions() }
    const known = new Set([here, ...hosts].flatMap((host) => host.tasks))
    if (!known.has(taskId)) throw unknownTask(taskId, [...known])
    const others = hosts.filter((host) => host.tasks.includes(taskId))
    const holders = others.length > 0 ? others : [here]
    const isServed = version === undefined || holders.some((host) => versionsOf(host, taskId).includes(version))
    if (!isServed) throw unknownVersion(taskId, version, holders)
    return this.#putOff(taken)
  }

  /**
   * Leaves a chunk for later: another worker must take it. One whose client has no lease is dropped: if that client lives, it
   * writes its spec again and misses the chunk.
   */
  async #putOff(taken: TakenChunk, pause = putOffPause): Promise<undefined> {
    const { link, keys, store, token, insist } = this.#parts
    const clientId = parseChunkId(taken.jobId)?.clientId ?? ''
    if ((await insist(() => link.client.exists(keys.results(clientId)))) === 1) {
      await insist(() => store.putOff(taken.jobId, token, pause))
    } else {
      await insist(() => store.dropHeld(taken.jobId, token))
    }
  }

  /**
   * What becomes of a chunk whose tasks were told to end. Whatever they have thrown or returned since is no outcome: it is
   * run elsewhere when this process was to end, and is not run again when nobody wants it.
   */
  async #leave(taken: TakenChunk, how: Abort['then']): Promise<undefined> {
    if (how === 'give back') return await this.giveBack(taken)
    await this.#drop(taken)
  }

  /**
   * Removes a chunk of which something is missing: its hash, its payload or a shared value has expired, or was lost with Redis. That is no
   * fault of the call: its client, if it lives, misses the chunk and adds it again.
   */
  async #dropLost(taken: TakenChunk): Promise<undefined> {
    await this.#drop(taken)
  }

  /** A chunk whose payload is beside it, with that; undefined when a part of it is missing. */
  async #whole(chunk: Chunk, jobId: string): Promise<Chunk | undefined> {
    const { pieces, insist } = this.#parts
    const payload = await insist(
      () => pieces.getPayload(jobId),
      (error) => error instanceof ProtocolError,
    )
    return payload && { ...chunk, payload }
  }

  /** The outcome, with what is large in it stored beside it. */
  async #setApart(jobId: string, outcome: Outcome, large: BlobsPayload): Promise<Outcome> {
    const { pieces, insist } = this.#parts
    const name = await insist(() => pieces.putOutcome(jobId, large))
    // Without a name nobody waits for it, and it will not be delivered.
    return { payload: { encoding: 'apart', name: name ?? '' }, failures: [], duration: outcome.duration }
  }

  async #drop({ jobId }: TakenChunk): Promise<void> {
    const { store, token, insist } = this.#parts
    await insist(() => store.dropHeld(jobId, token))
  }
}

/** What the user's own code has thrown, now or before, or a damaged record. */
function isOfThePool(error: unknown): boolean {
  return [InitializerFailure, InitializerError, ProtocolError].some((kind) => error instanceof kind)
}
