/**
 * Puts chunks into the queue: a batch in order, after what is large in them or shared by them. What nobody waits for any more
 * leaves nothing behind.
 */
import { isWrongType, type ProtocolError } from '@poolmq/shared'
import type { ChunkStore, PieceStore } from '@poolmq/worker'
import type { PendingChunk } from '../calls/call.js'
import type { FairShare } from './fair-share.js'
import type { SharedClaims } from './shared-claims.js'

export interface EnqueuerParts {
  readonly store: ChunkStore
  readonly pieces: PieceStore
  readonly claims: SharedClaims
  readonly share: FairShare
  /** The chunk of this id, while its outcome is waited for. */
  readonly awaited: (jobId: string) => PendingChunk | undefined
  /** A key of the pool may be somebody else's; resolves with an error that names it. */
  readonly onWrongType: () => Promise<ProtocolError | undefined>
}

export class Enqueuer {
  readonly #parts: EnqueuerParts

  constructor(parts: EnqueuerParts) {
    this.#parts = parts
  }

  async enqueue(chunks: readonly PendingChunk[]): Promise<void> {
    const { pieces, claims, awaited } = this.#parts
    const shared = chunks.filter((chunk) => chunk.shared !== undefined && awaited(chunk.jobId) === chunk)
    if (shared.length > 0) await claims.send(shared.flatMap((chunk) => chunk.shared ?? []))
    for (const { jobId, parts } of chunks) {
      if (parts === undefined || awaited(jobId) === undefined) continue
      try {
        await pieces.putPayload(jobId, parts)
      } catch (error) {
        // What is there of it is of no use, and Redis may be short of memory.
        await pieces.dropPayload(jobId).catch(() => undefined) // it expires
        throw error
      }
    }
    if (chunks.every(({ parts }) => parts === undefined)) return await this.#put(chunks)
    // The call may have ended meanwhile, and what had been added been removed.
    const [wanted, unwanted]: [PendingChunk[], PendingChunk[]] = [[], []]
    for (const chunk of chunks) {
      const isWanted = chunk.parts === undefined || awaited(chunk.jobId) === chunk
      ;(isWanted ? wanted : unwanted).push(chunk)
    }
    if (wanted.length > 0) await this.#put(wanted)
    for (const { jobId } of unwanted) await pieces.dropPayload(jobId)
  }

  /** Where a key is somebody else's, the error names it. */
  async #put(chunks: readonly PendingChunk[]): Promise<void> {
    const { store, share, onWrongType } = this.#parts
    try {
      await store.add(chunks, share.of(chunks))
    } catch (error) {
      throw (isWrongType(error) ? await onWrongType() : undefined) ?? error
    }
  }
}
