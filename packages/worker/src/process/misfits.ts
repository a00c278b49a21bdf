/**
 * What a worker process does with a chunk that it cannot run because another pool's initializer has run here. A process
 * that is made anew costs the time of a start, so this is the last of three ways:
 *
 * 1. Chunks that this process can run are taken first, from among the next in the queue, while the misfit waits at its
 *    front for whoever can run it: for a second at most, so that pools that take turns do not cost a start for each turn.
 * 2. Where a worker process is known that has run that initializer, the misfit is left to it, once.
 * 3. The misfit is kept in hand until a fresh process takes it over and this one ends. Nobody else meets it meanwhile, so
 *    one misfit makes one process.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Deferred, type PoolKeys, type RedisLink, within } from '@poolmq/shared'
import type { SupervisorChannel } from '../line/messages.js'
import type { ChunkQueue, TakenChunk } from '../queue/chunk-queue.js'
import type { ChunkStore } from '../queue/chunk-store.js'
import { liveHosts } from '../queue/presence.js'
import type { Initializer } from './initializer.js'

/** Milliseconds for which this process goes on with what it can run. */
const longestSlice = 1000
/**
 * Looks for such a chunk, and milliseconds between two: a client that calls again when it has its answer has the time to,
 * which is a tenth of what a start takes.
 */
const looksForNext = 7
const lookInterval = 4
/** Milliseconds in which an idle process that can run the misfit takes it. */
const chanceOfOthers = 50
/** Milliseconds that a fresh process may take to be there; then the misfit is put off, for any host to take. */
const longestStart = 20_000
/** Milliseconds between two looks whether the heir has taken it over, and how many there are. */
const heirInterval = 20
const heirLooks = 100

export interface MisfitParts {
  readonly token: string
  readonly queue: ChunkQueue
  readonly store: ChunkStore
  readonly link: RedisLink
  readonly keys: PoolKeys
  readonly initializer: Initializer
  readonly channel: SupervisorChannel
  readonly insist: <T>(action: () => Promise<T>) => Promise<T>
}

export class Misfits {
  readonly #parts: MisfitParts
  /** When this process went on with its own chunks beside a misfit. */
  #sliceBegan: number | undefined
  /** This process has run a chunk since it last found none. */
  #ran = false
  #inHand = 0
  #keeps = false
  /** A misfit was left to others since this process last ran a chunk. */
  #left = false
  #relieved = new Deferred<'heir' | 'drain'>()

  constructor(parts: MisfitParts) {
    this.#parts = parts
  }

  /** Misfits in hand: nothing else is taken meanwhile. */
  get inHand(): number {
    return this.#inHand
  }

  /** A chunk runs; `swapped`: it was taken instead of a misfit. */
  ran(swapped: boolean): void {
    this.#left = false
    this.#ran = true
    if (!swapped) this.#sliceBegan = undefined
  }

  /** This process takes nothing more; the one that takes its seat has been told of the misfit, or there is none. */
  drain(heir: boolean): void {
    this.#relieved.resolve(heir ? 'heir' : 'drain')
  }

  /**
   * Leaves a chunk that needs the initializer of this key.
   *
   * @returns a chunk that this process can run instead, where there is one
   */
  async leave(misfit: TakenChunk, key: string): Promise<TakenChunk | undefined> {
    this.#inHand++
    try {
      return await this.#leave(misfit, key)
    } finally {
      this.#inHand--
    }
  }

  async #leave({ jobId }: TakenChunk, key: string): Promise<TakenChunk | undefined> {
    const { token, store, insist } = this.#parts
    const instead = await this.#instead(jobId)
    if (instead !== undefined) return instead
    this.#ran = false
    if (!this.#left && (await this.#isServed(key))) {
      this.#left = true
      await insist(() => store.giveBack(jobId, token))
      await within(chanceOfOthers, this.#relieved.promise)
      return undefined
    }
    // One is enough to have this process replaced; the heir finds the others at the front of the queue.
    if (this.#keeps) await insist(() => store.giveBack(jobId, token))
    else await this.#keep(jobId)
    return undefined
  }

  async #keep(jobId: string): Promise<void> {
    const { token, store, channel, insist } = this.#parts
    this.#keeps = true
    channel.send({ type: 'misfit', jobId })
    const relieved = (await within(longestStart, this.#relieved.promise)) ? await this.#relieved.promise : undefined
    if (relieved !== undefined) {
      await this.#bequeath(jobId, relieved === 'heir')
    } else {
      channel.send({ type: 'misfit', jobId: undefined })
      await insist(() => store.putOff(jobId, token, longestSlice))
    }
    this.#keeps = false
  }

  /** What this process can run instead, while its slice lasts. */
  async #instead(jobId: string): Promise<TakenChunk | undefined> {
    const { token, queue, initializer, insist } = this.#parts
    const began = this.#sliceBegan ?? performance.now()
    if (performance.now() - began >= longestSlice) return undefined
    for (let looks = this.#ran ? looksForNext : 1; looks > 0; looks--) {
      const instead = await insist(() => queue.swap(jobId, token, initializer.suited))
      if (instead !== undefined) {
        this.#sliceBegan = began
        return instead
      }
      if (looks > 1) await delay(lookInterval)
    }
    return undefined
  }

  /** Whether a process is known that has run this initializer. */
  async #isServed(key: string): Promise<boolean> {
    const { link, keys, insist } = this.#parts
    const hosts = await insist(() => liveHosts(link, keys))
    return hosts.some(({ specs }) => specs?.includes(key))
  }

  /** The heir takes the chunk over by itself; when it does not, any process may have it. */
  async #bequeath(jobId: string, heir: boolean): Promise<void> {
    const { token, store, insist } = this.#parts
    for (let look = 0; heir && look < heirLooks; look++, await delay(heirInterval)) {
      if (!(await insist(() => store.isHeld(jobId, token)))) return
    }
    await insist(() => store.giveBack(jobId, token))
  }
}
