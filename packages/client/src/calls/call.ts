/**
 * An open call: a number that its chunks carry, and someone who takes what becomes of them. The open calls stand in one
 * map (open-calls); there is no promise, listener or timer for a single chunk.
 */
import { performance } from 'node:perf_hooks'
import {
  attempt,
  type BlobsPayload,
  type CallHeader,
  type CallReport,
  type ChunkId,
  decodeError,
  type Outcome,
  ProtocolError,
  payloadLength,
  type SharedContent,
} from '@poolmq/shared'
import type { EncodedChunk } from './chunker.js'
import { Usage } from './usage.js'

/** What became of a chunk, in the terms of the call's own items. */
export interface ChunkResult {
  /** A value for each item of the chunk; a placeholder where an item failed. */
  readonly values: ArrayLike<unknown>
  /** Offset in the chunk to error. */
  readonly failures: ReadonlyMap<number, unknown>
  /** Milliseconds that it ran; 0 when it did not. */
  readonly duration: number
  /** Characters, or bytes, that were sent or came back, whatever is more. */
  readonly characters: number
}

/** Takes the results of a call, in whatever order chunks complete. */
export interface Collector {
  /** Each chunk's result, exactly once. */
  take(index: number, result: ChunkResult): void
  /** The call cannot go on. No `take` follows. */
  fail(error: unknown): void
}

/** A chunk that was handed over and of which nothing has been heard yet. */
export interface PendingChunk {
  readonly jobId: string
  readonly taskId: string
  /** What was sent, kept so that it can be sent again if Redis loses it. */
  readonly data: string | Buffer
  /** Its payload, where that is too large for `data`. */
  readonly parts: BlobsPayload | undefined
  /** The shared values that its items hold; undefined: none. */
  readonly shared: readonly SharedContent[] | undefined
  /** Characters, or bytes, of its payload. */
  readonly size: number
  readonly priority: number
  readonly call: Call
  readonly index: number
  /** 1: the second copy of a chunk that has run for long. */
  readonly copy: ChunkId['copy']
  readonly chunk: EncodedChunk
  /** Redis has confirmed it. */
  sent: boolean
  /** Its outcome has been heard of, and what is large in it is being read. */
  arriving: boolean
  /** Its second copy: whichever is heard of first counts (see open-calls). */
  backup: PendingChunk | undefined
}

/** Names of errors that are counted apart. */
const mostNames = 50

/** What an error is called; a class of the user's may have a name that cannot be read. */
function nameOf(error: unknown): string {
  return attempt(() => (error instanceof Error ? String(error.name).slice(0, 100) : typeof error)) ?? 'unreadable'
}

export class Call {
  /** Chunks sent, by index, until their outcome is there: what a second outcome of the same chunk does not find. */
  readonly pending = new Map<number, PendingChunk>()
  /** What of it is in Redis, and what waits until there is room. */
  readonly usage = new Usage()
  /** The shared values that its chunks hold. */
  readonly shared = new Map<string, SharedContent>()
  /** Items that have ended. */
  done = 0
  /** Those of them that have failed, by the names of their errors. */
  readonly failures = new Map<string, number>()
  /** Items of the whole call; undefined while its input is still being read. */
  total: number | undefined
  /** Second copies of its chunks that have been started. */
  backups = 0
  readonly opened = performance.now()
  /** What ended it as a whole, if something did. */
  failure: unknown
  /** Whether all that it waits for is the user's own code. */
  isWithUser = (): boolean => false
  /** Called when the call has ended, however. */
  readonly atEnd: (() => void)[] = []

  /** @param owner - the pool, which is not collected while it has an open call, as Python's is not */
  constructor(
    readonly owner: unknown,
    readonly number: number,
    readonly method: string,
    readonly taskId: string,
    readonly header: CallHeader,
    readonly priority: number,
    readonly collector: Collector,
  ) {}

  /** One more of its chunks has ended: what those hear who ask how far it is. */
  count(result: ChunkResult): void {
    this.done += result.values.length
    for (const error of result.failures.values()) {
      const known = nameOf(error)
      const name = this.failures.size < mostNames || this.failures.has(known) ? known : 'others'
      this.failures.set(name, (this.failures.get(name) ?? 0) + 1)
    }
  }

  /** The ids of all chunks, and copies of them, that nothing has been heard of. */
  *pendingIds(): Iterable<string> {
    for (const { jobId, backup } of this.pending.values()) {
      yield jobId
      if (backup !== undefined) yield backup.jobId
    }
  }

  /** How far it is. */
  get report(): CallReport {
    return {
      number: this.number,
      method: this.method,
      task: this.taskId,
      done: this.done,
      failures: Object.fromEntries(this.failures),
      total: this.total ?? null,
      pending: this.pending.size + (this.usage.backlog?.length ?? 0),
      ...(this.backups > 0 && { backups: this.backups }),
      age: Math.round(performance.now() - this.opened),
    }
  }
}

/** What an outcome is put together with. */
export interface SentChunk {
  readonly size: number
  readonly chunk: EncodedChunk
  readonly call: { readonly header: Pick<CallHeader, 'mode'>; readonly method: string }
}

/** Puts a worker's outcome and the items that were never sent together again. */
export function mergeOutcome(pending: SentChunk, values: ArrayLike<unknown>, outcome: Outcome): ChunkResult {
  const { chunk } = pending
  const measured = {
    duration: outcome.duration,
    characters: Math.max(pending.size, payloadLength(outcome.payload)),
  }
  const whole = outcome.failures.find(([offset]) => offset === -1)
  if (whole !== undefined) return failedChunk(chunk.length, decodeError(whole[1]))
  const isWhole = outcome.failures.length === 0 || pending.call.header.mode === 'each'
  const expected = chunk.length - chunk.failures.size
  if (isWhole && values.length !== expected) {
    const message = `a chunk of ${expected} items came back with ${values.length} results`
    return failedChunk(chunk.length, new ProtocolError(message))
  }
  if (chunk.failures.size === 0 && outcome.failures.length === 0) return { values, failures: noFailures, ...measured }
  const hasItems = !pending.call.method.startsWith('apply')
  const sent: number[] = []
  for (let i = 0; i < chunk.length; i++) if (!chunk.failures.has(i)) sent.push(i)
  const merged: unknown[] = new Array(chunk.length).fill(null)
  for (const [k, offset] of sent.entries()) merged[offset] = values[k]
  const failures = new Map<number, unknown>(chunk.failures)
  for (const [k, wire] of outcome.failures) {
    const offset = sent[k]
    if (offset === undefined) {
      return failedChunk(
        chunk.length,
        new ProtocolError(`a chunk of ${expected} items came back with a failed item ${k}`),
      )
    }
    failures.set(offset, decodeError(wire, hasItems ? chunk.first + offset : undefined))
  }
  return { values: merged, failures, ...measured }
}

const noFailures: ReadonlyMap<number, unknown> = new Map()

/** The result of a chunk of which no item was run. */
export function failedChunk(length: number, error: unknown): ChunkResult {
  const failures = new Map(Array.from({ length: Math.max(length, 1) }, (_, i) => [i, error]))
  return unsentChunk(length, failures)
}

/** The result of a chunk that was not sent, because its items cannot be encoded. */
export function unsentChunk(length: number, failures: ReadonlyMap<number, unknown>): ChunkResult {
  return { values: new Array(length).fill(null), failures, duration: 0, characters: 0 }
}
