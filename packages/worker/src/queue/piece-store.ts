/**
 * Payloads of any size beside their chunks and outcomes: in pieces, as fields of a hash with a time to live, so that no
 * command, reply or value is large. A chunk's pieces go with the chunk; an outcome's are its client's, who renews and
 * removes them; a shared value is renewed by each client that shares it, and lives as long as the durable calls that hold it. That a piece is missing is no error here: whoever reads is told, and the chunk is run again.
 */
import {
  type BlobsPayload,
  compressPiece,
  cutPieces,
  formatDirectory,
  formatHead,
  isDurableId,
  isNear,
  keyLife,
  PieceJoiner,
  type PoolKeys,
  parseChunkId,
  parseHead,
  partsSuffix,
  pieceCount,
  pieceSize,
  piecesHead,
  type RedisLink,
  randomId,
  type SharedContent,
  type TakePiece,
} from '@poolmq/shared'
import { script } from './script.js'

/** Pieces in one command or reply: bounds what is under way at once. */
const batch = 4
const headField = 'head'

/**
 * KEYS: a shared value, the durable calls that hold it. It lives as long as they do, and for a moment at least: whose client renews it
 * must not end it sooner. Returns its fields.
 */
const claimShared = script(
  `redis.call('PEXPIRE', KEYS[1], math.max(${keyLife}, redis.call('PTTL', KEYS[2])))
return redis.call('HLEN', KEYS[1])`,
  Number,
)

/** What the pieces of an outcome are entered with. */
interface OutcomeEntry {
  readonly name: string
  /** The client's stream: without it nobody waits. */
  readonly results: string
  /** The names of the client's outcomes. */
  readonly outcomes: string
}

/** A hash of pieces, and the milliseconds that it lives. */
interface Place {
  readonly key: string
  readonly life: number
}

/** What became of a batch of pieces: stored; some that had been stored before are gone; nobody waits for them. */
type Stored = 'stored' | 'lapsed' | 'unwanted'

export class PieceStore {
  readonly #link: RedisLink
  readonly #pool: PoolKeys
  readonly #isNear: boolean

  constructor(link: RedisLink, pool: PoolKeys) {
    this.#link = link
    this.#pool = pool
    this.#isNear = isNear(link.descriptor)
  }

  /** Stores the payload of a chunk that is about to be added. To do it again is harmless. */
  async putPayload(jobId: string, payload: BlobsPayload, life = keyLife): Promise<void> {
    await this.#put({ key: this.#pool.payload(jobId), life }, payload)
  }

  /** Undefined when a piece is missing. @throws ProtocolError when it is damaged. */
  getPayload(jobId: string): Promise<BlobsPayload | undefined> {
    return this.#get(this.#pool.payload(jobId))
  }

  /** Removes the payload of a chunk that was never added. */
  async dropPayload(jobId: string): Promise<void> {
    await this.#link.client.unlink(this.#pool.payload(jobId))
  }

  /** Stores a shared value, unless all of it is there. */
  async putShared({ hash, payload }: SharedContent): Promise<void> {
    const key = this.#pool.shared(hash)
    const fields = pieceCount(piecesHead(formatDirectory(payload), payload)) + 1
    if ((await this.#claim(hash)) === fields) return
    try {
      await this.#put({ key, life: keyLife }, payload)
      // Durable calls that have lost it find it again, for as long as they hold it.
      await this.#claim(hash)
    } catch (error) {
      // What is there of it is of no use, and Redis may be short of memory.
      await this.#link.client.unlink(key).catch(() => undefined) // it expires
      throw error
    }
  }

  /**
   * Undefined when it, or a piece of it, is missing.
   *
   * @param take - is told of each piece, and its place, as it comes; waited for
   * @throws ProtocolError when it is damaged
   */
  getShared(hash: string, take?: TakePiece): Promise<BlobsPayload | undefined> {
    return this.#get(this.#pool.shared(hash), take)
  }

  /** Renews the time to live of shared values; returns the hashes of those that are gone. */
  async renewShared(hashes: readonly string[]): Promise<string[]> {
    if (hashes.length === 0) return []
    const fields = await Promise.all(hashes.map((hash) => this.#claim(hash)))
    return hashes.filter((_, i) => fields[i] === 0)
  }

  /** Has a shared value live on, as long as anybody needs it; how many fields it has. */
  #claim(hash: string): Promise<number> {
    return claimShared(this.#link.client, [this.#pool.shared(hash), this.#pool.sharers(hash)], [])
  }

  /** Removes shared values of a pool that nobody else can use. */
  async removeShared(hashes: readonly string[]): Promise<void> {
    if (hashes.length > 0) await this.#link.client.unlink(...hashes.map((hash) => this.#pool.shared(hash)))
  }

  /** Stores what is large in an outcome; returns the name that it is found under, undefined when nobody waits for it. */
  async putOutcome(jobId: string, payload: BlobsPayload): Promise<string | undefined> {
    const clientId = parseChunkId(jobId)?.clientId ?? ''
    const name = randomId()
    const [results, outcomes] = [this.#pool.results(clientId), this.#pool.outcomes(clientId)]
    const entry = { name: `${jobId}:${name}`, results, outcomes }
    // Of a durable call it lives as long as the others of it; nobody may be there to renew it.
    const life = isDurableId(clientId) ? Math.max(keyLife, await this.#link.client.pttl(results)) : keyLife
    return (await this.#put({ key: this.#pool.outcome(entry.name), life }, payload, entry)) ? name : undefined
  }

  /** Undefined when a piece is missing. @throws ProtocolError when it is damaged. */
  getOutcome(jobId: string, name: string): Promise<BlobsPayload | undefined> {
    return this.#get(this.#pool.outcome(`${jobId}:${name}`))
  }

  /** It has been read, or nobody will. */
  dropOutcome(jobId: string, name: string): Promise<void> {
    return this.#dropOutcomes(parseChunkId(jobId)?.clientId ?? '', [`${jobId}:${name}`])
  }

  /** Renews the time to live of a client's outcomes that are waited for, and removes the others. */
  async renewOutcomes(clientId: string, isWanted: (jobId: string) => boolean): Promise<void> {
    const entries = await this.#link.client.smembers(this.#pool.outcomes(clientId))
    if (entries.length === 0) return
    const wanted = entries.filter((entry) => isWanted(entry.slice(0, entry.lastIndexOf(':'))))
    const pipeline = this.#link.client.pipeline()
    for (const entry of wanted) pipeline.pexpire(this.#pool.outcome(entry), keyLife)
    await pipeline.pexpire(this.#pool.outcomes(clientId), keyLife).exec()
    const kept = new Set(wanted)
    await this.#dropOutcomes(
      clientId,
      entries.filter((entry) => !kept.has(entry)),
    )
  }

  /** Removes all outcomes of a client that is gone. */
  async removeOutcomes(clientId: string): Promise<void> {
    await this.#dropOutcomes(clientId, await this.#link.client.smembers(this.#pool.outcomes(clientId)))
  }

  async #dropOutcomes(clientId: string, entries: readonly string[]): Promise<void> {
    if (entries.length === 0) return
    const hashes = entries.map((entry) => this.#pool.outcome(entry))
    await this.#link.client
      .multi()
      .unlink(...hashes)
      .srem(this.#pool.outcomes(clientId), ...entries)
      .exec()
  }

  /** False when nobody waits for it. What was stored is stored again when it has expired meanwhile: Redis was away. */
  async #put(place: Place, payload: BlobsPayload, entry?: OutcomeEntry): Promise<boolean> {
    for (;;) {
      const stored = await this.#putOnce(place, payload, entry)
      if (stored !== 'lapsed') return stored === 'stored'
    }
  }

  async #putOnce(place: Place, payload: BlobsPayload, entry: OutcomeEntry | undefined): Promise<Stored> {
    const directory = formatDirectory(payload)
    let fields: (string | Buffer)[] = [headField, formatHead(piecesHead(directory, payload))]
    let there = 0
    let count = 0
    for (const piece of cutPieces(payload, directory)) {
      fields.push(String(count++), this.#isNear ? piece : await compressPiece(piece))
      if (count % batch !== 0) continue
      const stored = await this.#store(place, fields, there, entry)
      if (stored !== 'stored') return stored
      there += fields.length / 2
      fields = []
    }
    return fields.length > 0 ? await this.#store(place, fields, there, entry) : 'stored'
  }

  /**
   * One transaction, so that no piece is without a time to live, and no outcome unknown to its client. Not a script: that would
   * copy all bytes twice more, and take Redis twice as long.
   */
  async #store(
    { key, life }: Place,
    fields: readonly (string | Buffer)[],
    there: number,
    entry: OutcomeEntry | undefined,
  ): Promise<Stored> {
    const { client } = this.#link
    const transaction = client.multi().hlen(key)
    if (entry !== undefined) {
      transaction.exists(entry.results).sadd(entry.outcomes, entry.name).pexpire(entry.outcomes, life)
    }
    const replies = await settled(
      transaction
        .hset(key, ...fields)
        .pexpire(key, life)
        .exec(),
    )
    if (entry !== undefined && replies[1] === 0) {
      await client.multi().unlink(key).srem(entry.outcomes, entry.name).exec()
      return 'unwanted'
    }
    return Number(replies[0]) < there ? 'lapsed' : 'stored'
  }

  async #get(key: string, take?: TakePiece): Promise<BlobsPayload | undefined> {
    const { client } = this.#link
    // The head and the first pieces come together: most have no more.
    const [head, ...first] = await client.hmgetBuffer(key, headField, ...names(0, batch))
    if (!head) return undefined
    const facts = parseHead(head.toString())
    const count = pieceCount(facts)
    const joiner = new PieceJoiner(facts)
    let pieces: Promise<(Buffer | null)[]> = Promise.resolve(first.slice(0, count))
    for (let at = 0; at < count; at += batch) {
      const come = await pieces
      const next = at + batch
      // The next ones are on their way while these are put in their places.
      if (next < count) pieces = client.hmgetBuffer(key, ...names(next, Math.min(next + batch, count)))
      pieces.catch(() => undefined)
      for (const [offset, piece] of come.entries()) {
        if (piece === null) return undefined
        const whole = await joiner.add(piece)
        await take?.(whole, (at + offset) * pieceSize)
      }
    }
    return joiner.end()
  }
}

/** The replies of a transaction. @throws what Redis refused it for */
async function settled(execution: Promise<[Error | null, unknown][] | null>): Promise<unknown[]> {
  try {
    const replies = (await execution) ?? []
    for (const [error] of replies) if (error !== null) throw error
    return replies.map(([, reply]) => reply)
  } catch (error) {
    // A transaction that was refused says only that it was; its commands say why.
    const [first] = (error as { previousErrors?: readonly unknown[] }).previousErrors ?? []
    throw first ?? error
  }
}

const names = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => String(from + i))

/** What the keys of a chunk are called behind the queue's prefix: its hash, and its pieces where it has any. */
export function keysOfChunk({ jobId, parts }: { readonly jobId: string; readonly parts?: unknown }): string[] {
  return parts === undefined ? [jobId] : [jobId, `${jobId}${partsSuffix}`]
}
