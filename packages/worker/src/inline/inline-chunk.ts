/**
 * Runs a chunk in the process that made it, from its record to that of its outcome: what cannot travel fails here as it does
 * on its way through Redis, and nothing is shared between the task and its caller.
 */
import { AsyncResource } from 'node:async_hooks'
import { hostname } from 'node:os'
import {
  type BlobsPayload,
  type Chunk,
  decodeList,
  findTask,
  formatOutcome,
  isDefined,
  type Outcome,
  type OutcomeEntry,
  outcomeApart,
  type PoolError,
  ProtocolError,
  parseChunk,
  parseOutcomes,
  type SharedContent,
  type SharedValues,
  taskIds,
  taskVersions,
  wholeOutcome,
} from '@poolmq/shared'
import { type ChunkRun, failedOutcome, runChunk } from '../process/chunk-runner.js'
import { unknownTask, unknownVersion } from '../process/unknown-task.js'

/** A chunk as its client hands it over. */
export interface SentChunk {
  readonly jobId: string
  readonly taskId: string
  /** Its record. */
  readonly data: string | Buffer
  /** Its payload, where that is too large for the record. */
  readonly parts: BlobsPayload | undefined
  /** The shared values that its items hold; undefined: none. */
  readonly shared?: readonly SharedContent[] | undefined
}

export interface InlineRun extends Pick<ChunkRun, 'losses' | 'tellItem' | 'running' | 'clock'> {
  readonly sent: SentChunk
  /** Who is told of it. @defaultValue nobody */
  readonly observe?: (chunk: Chunk) => ChunkRun['observer']
  /** Called when the chunk asks for its pool's initializer: resolves when it has run. @throws InitializerError */
  readonly prepare?: () => Promise<void>
}

const place = new AsyncResource('PoolMQ inline')

/** Runs it where this module was loaded: tasks see nothing of the `AsyncLocalStorage` of their caller, whom they do not know. */
export function outside<R>(run: () => R): R {
  return place.runInAsyncScope(run)
}

/** Never rejects: what goes wrong is the outcome. */
export function runInline(run: InlineRun): Promise<OutcomeEntry> {
  return outside(async () => carried(run.sent.jobId, await outcomeOf(run)))
}

async function outcomeOf(run: InlineRun): Promise<Outcome> {
  const { sent, losses, tellItem, running, clock } = run
  try {
    const chunk = parseChunk(Buffer.from(sent.data as Buffer))
    const task = findTask(sent.taskId, chunk.module, chunk.version)
    if (task === undefined) throw unknown(sent.taskId, chunk.version)
    if (chunk.spec) await run.prepare?.()
    const payload = chunk.payload.encoding === 'apart' ? sent.parts && copied(sent.parts) : chunk.payload
    if (payload === undefined) throw new ProtocolError('a chunk whose payload is missing')
    const whole = { ...chunk, payload }
    const observer = run.observe?.(whole)
    return await runChunk({
      task,
      chunk: whole,
      shared: sent.shared && decodedHere(sent.shared),
      losses,
      beforeItem: (index) => tellItem(index, 0),
      tellItem,
      running,
      clock,
      observer,
    })
  } catch (error) {
    return failedOutcome(error)
  }
}

function unknown(taskId: string, version: string | undefined): PoolError {
  if (version === undefined || !isDefined(taskId)) return unknownTask(taskId, taskIds())
  const here = { host: hostname(), pid: process.pid, tasks: taskIds(), taskVersions: taskVersions() }
  return unknownVersion(taskId, version, [here])
}

/** The outcome as its client reads it from the stream, and what is large in it from beside. */
function carried(jobId: string, outcome: Outcome): OutcomeEntry {
  const large = outcomeApart(outcome)
  const sent: Outcome =
    large === undefined ? outcome : { ...outcome, payload: { encoding: 'apart', name: 'inline' }, failures: [] }
  const [entry] = parseOutcomes(formatOutcome(jobId, sent).map((field) => Buffer.from(field as Buffer)))
  const read = entry?.outcome ?? new ProtocolError('an outcome without its chunk')
  if (large === undefined || read instanceof Error) return { jobId, outcome: read }
  return { jobId, outcome: wholeOutcome(read, copied(large)) }
}

const decoded = new WeakMap<SharedContent, unknown>()

/** Shared values, decoded once in this process. */
export function decodedHere(shared: readonly SharedContent[]): SharedValues {
  const values = new Map<string, unknown>()
  for (const content of shared) {
    if (!decoded.has(content)) decoded.set(content, decodeList(copied(content.payload), values)[0])
    values.set(content.hash, decoded.get(content))
  }
  return values
}

/** What was sent is nobody's to change. */
function copied(payload: BlobsPayload): BlobsPayload {
  return { ...payload, blobs: payload.blobs.map((blob) => Buffer.from(new Uint8Array(blob).buffer)) }
}
