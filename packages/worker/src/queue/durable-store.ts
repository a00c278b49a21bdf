/**
 * Durable calls in Redis: begun, looked after, ended and removed, by clients and supervisors alike. All that is known of one stands
 * in its record; none of its keys belongs to a process, and all have the record's time to live. It never decides what is to be
 * run: that is the client's that has the items.
 */
import {
  type DurableHead,
  type DurableState,
  durableId,
  formatDurableHead,
  formatSpec,
  keyLife,
  type PoolKeys,
  type PoolSpec,
  parseDurableHead,
  type RedisLink,
} from '@poolmq/shared'
import { ChunkStore, type NewChunk } from './chunk-store.js'
import {
  beginDurable,
  cancelDurable,
  forgetDurable,
  lookDurable,
  lostOfDurable,
  openDurable,
  placeDurable,
  prepareDurable,
  renewDurable,
  rerunDurable,
  submitDurable,
  tendOpening,
} from './durable-scripts.js'
import { type ChunkCost, shareArgument, unknownStep } from './fair-scripts.js'
import { orderStop } from './pool-scripts.js'

/** Milliseconds that the keys of an open call live at least after somebody has looked after them. */
const shortestLife = 3_600_000
/** Chunks that one script looks at. */
const slice = 1000
/** Blocks of items, of which some KB are kept, that are noted at once. */
const blocksAtOnce = 50

/** A durable call as it is now. */
export interface DurableView {
  readonly head: DurableHead
  readonly state: DurableState
  /** Rises with each time that it is run again. */
  readonly run: number
  /** Chunks that have ended, of those that its items make. */
  readonly done: number
  /** Items that have failed in this run, by the name of their error; but for those whose outcomes are large, and travel beside the others. */
  readonly failures: Readonly<Record<string, number>>
  /** Milliseconds since somebody looked who has the items, and gives again what is lost. */
  readonly untended: number
  /** Milliseconds since 1970, by Redis's clock, at which it was begun. */
  readonly began: number
  /** Milliseconds since then. */
  readonly age: number
}

/** What is left of a call that was ended or removed: the chunks of this run, up to this number. */
interface Remains {
  readonly run: number
  readonly chunks: number
}

export class DurableStore {
  readonly id: string
  readonly #link: RedisLink
  readonly #pool: PoolKeys

  /** @param id - the client id of the call */
  constructor(link: RedisLink, pool: PoolKeys, id: string) {
    this.#link = link
    this.#pool = pool
    this.id = id
  }

  static ofKey(link: RedisLink, pool: PoolKeys, key: string): DurableStore {
    return new DurableStore(link, pool, durableId(key))
  }

  /**
   * Begins the call, unless it is there; the run, when it was begun. What is to be compared follows, then `begin`.
   *
   * @param keep - milliseconds that it is kept from its end on
   */
  async open(head: DurableHead, chunks: number, keep: number): Promise<number | undefined> {
    return await this.#run(openDurable, [formatDurableHead(head), chunks, lifeOf(keep), keep])
  }

  /** Notes what stands for the items, block by block. False when another has begun it anew. */
  async notePrints(run: number, prints: readonly Buffer[]): Promise<boolean> {
    const key = this.#pool.durable(this.id, 'prints')
    for (let i = 0; i < prints.length; i += blocksAtOnce) {
      const some = prints.slice(i, i + blocksAtOnce).flatMap((print, k) => [String(i + k), print])
      // Not by the script, which would copy all bytes twice more.
      await this.#link.client
        .multi()
        .hset(key, ...some)
        .pexpire(key, keyLife)
        .exec()
      if ((await this.#run(tendOpening, [run])) === 0) return false
    }
    return true
  }

  /** What stands for the items of blocks, in order; undefined where nothing does. */
  async prints(from: number, to: number): Promise<(Buffer | undefined)[]> {
    if (from >= to) return []
    const names = Array.from({ length: to - from }, (_, i) => String(from + i))
    const found = await this.#link.client.hmgetBuffer(this.#pool.durable(this.id, 'prints'), ...names)
    return found.map((print) => print ?? undefined)
  }

  /** From now on chunks may be added. False when another has begun it anew. */
  async begin(run: number, spec: PoolSpec | undefined): Promise<boolean> {
    return (await this.#run(beginDurable, [run, spec === undefined ? '' : formatSpec(spec)])) === 1
  }

  /**
   * Adds chunks that have not ended and are not there. False when the call does not run any more, or in another run. Among the producers of
   * the pool the call is one of its own.
   *
   * @param cost - of each of them
   */
  async submit(run: number, chunks: readonly NewChunk[], cost: ChunkCost = { step: unknownStep }): Promise<boolean> {
    const suffixes = ['wait', 'prioritized', 'shares', 'marker', 'meta', 'elders']
    const args: (string | number | Buffer)[] = [run, keyLife, shareArgument({ ...cost, key: this.id })]
    for (const { jobId, taskId, data, priority } of chunks) args.push(jobId, taskId, data, priority)
    const added = await this.#heard(() => this.#run(submitDurable, args, suffixes))
    return added !== -2
  }

  /**
   * Holds shared values for as long as it is open: before chunks are added that need them. Undefined when it does not run any more, or in
   * another run.
   *
   * @param shared - their hashes
   * @returns milliseconds that what is added is to live, and the hashes of those that are not there, also of what it held before
   */
  async prepare(
    run: number,
    shared: readonly string[],
  ): Promise<{ readonly life: number; readonly missing: readonly string[] } | undefined> {
    return await this.#run(prepareDurable, [run, ...shared])
  }

  /**
   * Looks after the call; undefined when there is none. What has been heard is read on, until its end.
   *
   * @param tends - who looks has the items
   */
  async look(tends = false): Promise<DurableView | undefined> {
    for (;;) {
      const reply = await this.#run(lookDurable, [tends ? '1' : '0'])
      if (reply === null) return undefined
      const [state, run, caught, done, due, untended, head, began, now, failures] = reply
      if (due === 1) await this.#renew(parseDurableHead(String(head)))
      if (caught !== 1) continue
      return {
        head: parseDurableHead(String(head)),
        state: String(state) as DurableState,
        run: Number(run),
        done: Number(done),
        failures: JSON.parse(String(failures)) as Record<string, number>,
        untended: Number(untended),
        began: Number(began),
        age: Number(now) - Number(began),
      }
    }
  }

  /** The chunks that have neither an outcome nor a place, of so many. */
  async lost(chunks: number): Promise<number[]> {
    const lost: number[] = []
    for (let i = 0; i < chunks; i += slice) {
      const found = await this.#heard(
        () => this.#run(lostOfDurable, [i, i + slice]),
        ([first]) => first === -1,
      )
      lost.push(...found)
    }
    return lost
  }

  /**
   * Lets chunks run again: those that were lost in this run, else in another one, which is returned. Undefined when the call
   * is not as it is known.
   */
  async rerun(
    run: number,
    how: 'all' | 'failed' | 'lost',
    chunks: readonly number[],
    keep: number,
    spec?: PoolSpec,
  ): Promise<number | undefined> {
    const args = [run, how, lifeOf(keep), keep, spec === undefined ? '' : formatSpec(spec), ...chunks]
    return await this.#heard(() => this.#run(rerunDurable, args))
  }

  /** Ends the call before its end: what waits is removed, what runs is stopped. False when it is not open. */
  async cancel(): Promise<boolean> {
    const left = await this.#heard(
      () => this.#run(cancelDurable, []),
      (remains) => remains?.run === -1,
    )
    if (left === undefined) return false
    await this.#withdraw(left)
    return true
  }

  /**
   * Ends a run of which Redis has refused a part. What it takes goes first, as nothing can be written while Redis has no memory:
   * neither that it has ended, nor who takes a chunk.
   */
  async abandon(run: number, chunks: number): Promise<void> {
    await this.takeBack(
      run,
      Array.from({ length: chunks }, (_, i) => i),
    )
    await this.cancel()
  }

  /** Removes chunks of a run, but for those that are in hand. */
  async takeBack(run: number, chunks: readonly number[]): Promise<void> {
    const store = new ChunkStore(this.#link, this.#pool)
    for (let i = 0; i < chunks.length; i += slice) {
      const some = chunks.slice(i, i + slice).map((index) => `${this.id}.${run}.${index}`)
      await store.drop(some, false, this.id)
    }
  }

  /** Removes the call and all that belongs to it. False when there is none. */
  async forget(): Promise<boolean> {
    const left = await this.#run(forgetDurable, [])
    if (left === undefined) return false
    await this.#withdraw(left)
    return true
  }

  /** The chunks that have not ended. */
  async unended(chunks: number): Promise<number[]> {
    const bits = await this.#link.client.getBuffer(this.#pool.durable(this.id, 'done'))
    const isDone = (index: number) => ((bits?.[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0
    const unended: number[] = []
    for (let i = 0; i < chunks; i++) if (!isDone(i)) unended.push(i)
    return unended
  }

  /** Puts chunks back whose ids are in no list; returns those of them that are not there. */
  async place(jobIds: readonly string[]): Promise<string[]> {
    const suffixes = ['wait', 'active', 'prioritized', 'shares', 'marker', 'elders', 'meta']
    const share = shareArgument({ key: this.id, step: unknownStep })
    const gone: string[] = []
    for (let i = 0; i < jobIds.length; i += slice) {
      gone.push(...(await this.#run(placeDurable, [keyLife, share, ...jobIds.slice(i, i + slice)], suffixes)))
    }
    return gone
  }

  async #renew(head: DurableHead): Promise<void> {
    for (let i = 0; i * head.chunkSize < head.items; i += slice) await this.#run(renewDurable, [i, i + slice])
  }

  async #withdraw({ run, chunks }: Remains): Promise<void> {
    if (chunks === 0) return
    await orderStop(this.#link.client, [this.#pool.stops], [`${this.id}.${run}`])
    await this.takeBack(
      run,
      Array.from({ length: chunks }, (_, i) => i),
    )
  }

  /** Asks again when what has been heard is read to its end, which each script does for a while. */
  async #heard<T>(ask: () => Promise<T>, isMore: (reply: T) => boolean = (reply) => reply === -1): Promise<T> {
    for (;;) {
      const reply = await ask()
      if (!isMore(reply)) return reply
      // Without what is asked, which may be large.
      await this.look()
    }
  }

  #run<T>(
    script: (
      client: RedisLink['client'],
      keys: readonly string[],
      args: readonly (string | number | Buffer)[],
    ) => Promise<T>,
    args: readonly (string | number | Buffer)[],
    suffixes: readonly string[] = [],
  ): Promise<T> {
    const { id } = this
    const pool = this.#pool
    const own = [
      pool.durable(id),
      pool.durable(id, 'done'),
      pool.durable(id, 'prints'),
      pool.results(id),
      pool.outcomes(id),
      pool.durables,
    ]
    const keys = [...own, ...suffixes.map((suffix) => pool.chunk(suffix))]
    return script(this.#link.client, keys, [id, `${pool.prefix}:`, pool.chunk(''), ...args])
  }
}

/** Milliseconds that its keys live while it is open, from one look to the next. */
const lifeOf = (keep: number): number => Math.max(keep, shortestLife)

/** The durable calls of a pool that have not ended. */
export async function openDurables(link: RedisLink, pool: PoolKeys): Promise<DurableStore[]> {
  const ids = await link.client.smembers(pool.durables)
  return ids.map((id) => new DurableStore(link, pool, id))
}
