/**
 * Gives back the chunks that a worker process held when it ended, or that it is not to have any more. What its death says of
 * a chunk is counted there first, so that one that kills its process again and again comes to an end.
 */
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { callIdOf, within } from '@poolmq/shared'
import type { Log } from '../logger.js'
import type { ChunkStore } from '../queue/chunk-store.js'
import type { Loss } from '../queue/loss-ledger.js'
import type { LostChunk, WorkerLoss } from './worker-loss.js'

export interface ChunkRecoveryOptions {
  readonly store: ChunkStore
  readonly log: Log
  /** What this host was built from: it stands in what is told of a loss. */
  readonly build: string | undefined
}

/** Milliseconds after which Redis has read what a dead process has sent. */
const lastWords = 100
/** Milliseconds that Redis has to name the tasks of chunks. */
const tasksTimeout = 2000
/** Milliseconds that a dead process's chunk is tried to be given back; then its lock has lapsed anyway. */
const recoverTimeout = 15_000

export class ChunkRecovery {
  readonly #options: ChunkRecoveryOptions
  #stopped = false

  constructor(options: ChunkRecoveryOptions) {
    this.#options = options
  }

  /** What could not be given back is not tried again. */
  stop(): void {
    this.#stopped = true
  }

  /** Gives back what a worker process held when it ended. */
  async recover(loss: WorkerLoss): Promise<void> {
    const { build } = this.#options
    const where = { pid: loss.pid, host: hostname(), ...(build !== undefined && { build }) }
    const details: Loss = { ...where, exitCode: loss.exit.code, signal: loss.exit.signal }
    await this.#insist(() => this.#giveBack(loss, details))
  }

  /** Has a chunk run elsewhere, or not at all, although its worker process goes on for a while. */
  async giveUp(jobId: string, token: string, chunk: LostChunk): Promise<void> {
    await this.#insist(() => this.#giveBackChunk(jobId, token, chunk))
  }

  /** The tasks of these chunks; none when Redis does not tell. */
  async tasksOf(jobIds: readonly string[]): Promise<string[]> {
    const told = this.#options.store.tasksOf(jobIds).catch(() => [])
    return (await within(tasksTimeout, told)) ? await told : []
  }

  async #insist(action: () => Promise<void>): Promise<void> {
    for (const end = performance.now() + recoverTimeout; ; ) {
      try {
        return await action()
      } catch (error) {
        if (this.#stopped || performance.now() > end) return
        this.#options.log.warn({ err: error }, 'could not give back the chunks of a worker process; trying again')
        await delay(200)
      }
    }
  }

  async #giveBack(loss: WorkerLoss, details: Loss): Promise<void> {
    const found = await this.#giveBackHeld(loss, details)
    if (found > 0 && loss.lanes === 1) return
    // The dead process may have asked for chunks with its last words, which Redis may not have read yet.
    await delay(lastWords)
    await this.#giveBackHeld(loss, details)
  }

  async #giveBackHeld(loss: WorkerLoss, details: Loss): Promise<number> {
    const { store } = this.#options
    await store.dismiss(loss.token)
    const held = await store.heldBy(loss.token)
    if (loss.blame !== 'none' && held.length > 0) await this.#warnOfLoss(held, loss, details)
    for (const jobId of held) {
      const chunk = loss.chunks.get(jobId)
      if (chunk !== undefined && !chunk.cancelled) await this.#countLoss(jobId, chunk, loss, details)
      await this.#giveBackChunk(jobId, loss.token, chunk)
    }
    return held.length
  }

  async #warnOfLoss(held: readonly string[], { crash }: WorkerLoss, loss: Loss): Promise<void> {
    const tasks = await this.tasksOf(held)
    const because = crash && `${crash.error.name}: ${crash.error.message}`
    const [chunk = ''] = held
    const about = { chunk, call: callIdOf(chunk), task: tasks[0], loss, because }
    const { log } = this.#options
    if (held.length === 1) log.warn(about, 'a worker process died with a chunk in hand; it is given back')
    else
      log.warn(
        { chunks: held, tasks, loss, because },
        `a worker process died with ${held.length} chunks in hand; they are given back`,
      )
  }

  async #countLoss(jobId: string, { item }: LostChunk, loss: WorkerLoss, details: Loss): Promise<void> {
    if (loss.blame === 'none') return
    const { store } = this.#options
    const { crash } = loss
    // What left the error behind that ended the process is known, or not, and may be over by now.
    const isOwn = crash?.jobId === jobId
    const isOthers = crash?.jobId !== undefined && !isOwn
    const culprit = isOwn ? (crash.offset ?? item) : item
    const alone = culprit === undefined ? 'lost' : `lost:${culprit}`
    const reason = crash && { error: crash.error, ...(isOthers && { culprit: crash.taskId }) }
    const field = isOwn || loss.blame === 'one' ? alone : 'shared'
    await store.noteLoss(jobId, loss.token, field, JSON.stringify({ ...details, ...reason }))
  }

  async #giveBackChunk(jobId: string, token: string, chunk: LostChunk | undefined): Promise<void> {
    const { store } = this.#options
    if (chunk?.cancelled) return store.dropHeld(jobId, token)
    if (chunk?.late !== undefined) {
      await store.noteFields(jobId, new Map([[`late:${chunk.late.index}`, String(chunk.late.limit)]]))
    }
    await store.giveBack(jobId, token)
  }
}
