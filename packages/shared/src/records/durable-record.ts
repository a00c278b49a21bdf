/**
 * A durable call as it is known in Redis: what was frozen when it was begun, and its place among the clients. It has a client id of
 * its own, made of its key, under which its chunks, outcomes and spec stand as those of any client: so workers run it as
 * they run any call, and no process has to be there for it.
 */
import { createHash } from 'node:crypto'
import { ProtocolError } from '../errors/errors.js'
import type { ChunkId } from './job-id.js'
import { checkVersion, excerpt, isCount, parseRecord, protocolVersion } from './record.js'

/** What was frozen when a durable call was begun. */
export interface DurableHead {
  readonly key: string
  /** How the task is given its arguments. */
  readonly form: DurableForm
  readonly task: string
  /** The version of the task that was asked for; absent: any. */
  readonly version?: string
  readonly items: number
  /** Items in a chunk. */
  readonly chunkSize: number
  /** Stands for all items. */
  readonly digest: string
  /** Who began it. */
  readonly host: string
  readonly pid: number
}

/** `map`: an item is the argument. `starmap`: it is an argument list. `apply`: the same, and there is one. */
export type DurableForm = 'map' | 'starmap' | 'apply'

/**
 * `opening`: what is to be compared is still being written, and no chunk is in the queue. `open`: it runs, or waits to.
 * `done`: every item has ended, well or not. `cancelled`: what had not ended then never will.
 */
export type DurableState = 'opening' | 'open' | 'done' | 'cancelled'

const pattern = /^durable[0-9a-f]{25}$/
const forms: readonly unknown[] = ['map', 'starmap', 'apply'] satisfies DurableForm[]

/** The client id of the durable call of this key. No process has such a one: theirs are of 16 characters. */
export function durableId(key: string): string {
  return `durable${createHash('sha256').update(key).digest('hex').slice(0, 25)}`
}

export function isDurableId(clientId: string): boolean {
  return clientId.length === 32 && pattern.test(clientId)
}

/** The name of the spec of a chunk: its client's; of a durable call, each run has one. */
export const specIdOf = ({ clientId, call }: Pick<ChunkId, 'clientId' | 'call'>): string =>
  isDurableId(clientId) ? `${clientId}.${call}` : clientId

export function formatDurableHead(head: DurableHead): string {
  return JSON.stringify({ v: protocolVersion, ...head })
}

/** @throws ProtocolError when it is not ours, or of a newer version */
export function parseDurableHead(text: string): DurableHead {
  const record = parseRecord(text, 'a durable call')
  checkVersion(record, 'a durable call')
  const head = record as Partial<DurableHead>
  const texts = [head.key, head.task, head.digest, head.host, head.version ?? '']
  const fits =
    texts.every((one) => typeof one === 'string') &&
    forms.includes(head.form) &&
    isCount(head.items) &&
    isCount(head.chunkSize) &&
    head.chunkSize > 0 &&
    isCount(head.pid)
  if (!fits) throw new ProtocolError(`a durable call that is not ours: ${excerpt(text)}`)
  const { v: _v, ...rest } = record
  return rest as unknown as DurableHead
}

/** How many chunks its items make. */
export const chunksOf = ({ items, chunkSize }: Pick<DurableHead, 'items' | 'chunkSize'>): number =>
  Math.ceil(items / chunkSize)

/** A mark in the stream of outcomes: from here on the outcomes of this run count, and of earlier ones none. */
export interface DurableMark {
  readonly run: number
  /**
   * `all`: what was heard before is void. `failed`: those items run again that have no value. `cancelled`: nothing more of this run
   * counts.
   */
  readonly what: 'all' | 'failed' | 'cancelled'
}

const marks: readonly unknown[] = ['all', 'failed', 'cancelled'] satisfies DurableMark['what'][]

/** Reads a stream entry; undefined when it is no such mark. */
export function parseDurableMark(fields: readonly Buffer[]): DurableMark | undefined {
  const [name, run, , what] = fields.map(String)
  if (name !== 'd' || !isCount(Number(run)) || !marks.includes(what)) return undefined
  return { run: Number(run), what: what as DurableMark['what'] }
}
