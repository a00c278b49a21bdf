/**
 * The shared values of a worker process, decoded once: every item that names one gets the same object. Those that were used longest ago are
 * let go of when all take too much memory. It finds them by way of the host's files; one that Redis has lost is told of, and is
 * its client's to send again.
 */
import { decodeList, EncodingError, ProtocolError, type SharedRef, type SharedValues } from '@poolmq/shared'
import type { Fetch, SharedFiles } from '../line/shared-files.js'
import type { PieceStore } from '../queue/piece-store.js'
import type { Insist } from './insistence.js'

/** Bytes, as they are encoded, of the values that are kept; those of a chunk at hand are there in any case. */
const mostKept = 1024 ** 3

export interface SharedValueParts {
  readonly pieces: Pick<PieceStore, 'getShared'>
  readonly files: Pick<SharedFiles, 'get'>
  readonly insist: Insist
  readonly log: (error: unknown) => void
}

interface Loaded {
  readonly value: unknown
  readonly size: number
}

export class SharedValueCache {
  readonly #parts: SharedValueParts
  readonly #mostBytes: number
  /** By hash, the one used last at the end. */
  readonly #values = new Map<string, Loaded>()
  readonly #loading = new Map<string, Promise<Loaded | undefined>>()
  #bytes = 0

  constructor(parts: SharedValueParts, mostBytes = mostKept) {
    this.#parts = parts
    this.#mostBytes = mostBytes
  }

  /**
   * These values, by hash; undefined when Redis has lost one of them.
   *
   * @throws ProtocolError, EncodingError when one is damaged.
   */
  async have(refs: readonly SharedRef[]): Promise<SharedValues | undefined> {
    const values = new Map<string, unknown>()
    for (const ref of refs) {
      const loaded = this.#values.get(ref.hash) ?? (await this.#load(ref, values))
      if (loaded === undefined) return undefined
      values.set(ref.hash, loaded.value)
      this.#keep(ref.hash, loaded)
    }
    return values
  }

  /** @param values - those before it, which it may hold */
  #load(ref: SharedRef, values: SharedValues): Promise<Loaded | undefined> {
    const { hash } = ref
    const loading = this.#loading.get(hash) ?? this.#fetch(ref, values).finally(() => this.#loading.delete(hash))
    this.#loading.set(hash, loading)
    return loading
  }

  async #fetch(ref: SharedRef, values: SharedValues): Promise<Loaded | undefined> {
    const { files, pieces, insist, log } = this.#parts
    const { hash, size } = ref
    const fetch: Fetch = (take) => insist(() => pieces.getShared(hash, take), isDamage)
    const payload = await files.get(ref, fetch)
    if (payload !== undefined) return { value: decodeList(payload, values)[0], size }
    log(
      new ProtocolError(`the shared value ${hash}, of ${size} bytes, is not in Redis: its client is to send it again`),
    )
    return undefined
  }

  #keep(hash: string, loaded: Loaded): void {
    if (!this.#values.delete(hash)) this.#bytes += loaded.size
    this.#values.set(hash, loaded)
    for (const [oldest, { size }] of this.#values) {
      if (this.#bytes <= this.#mostBytes || oldest === hash) return
      this.#values.delete(oldest)
      this.#bytes -= size
    }
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof ProtocolError || error instanceof EncodingError
}
