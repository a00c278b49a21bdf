/**
 * What an onlooker asks of a client, and what the client answers. An order is an entry of the client's own result stream,
 * which it reads anyway: nobody has to ask for orders, and who gets none pays nothing. An older client skips it, as it
 * skips every entry that is no outcome.
 */
import { ProtocolError } from '../errors/errors.js'
import { checkVersion, isCount, isSize, parseRecord, protocolVersion } from './record.js'

/** `report`: write down the open calls. `cancel`: give up the call of this number. */
export type ClientOrder = { readonly type: 'report' } | { readonly type: 'cancel'; readonly call: number }

/** An open call, as its client tells of it. */
export interface CallReport {
  /** Its number; `CLIENT.NUMBER` names it in the whole pool. */
  readonly number: number
  /** The method that was called: `map`, `applyAsync`, … */
  readonly method: string
  readonly task: string
  /** Items that have ended, well or not. */
  readonly done: number
  /** Those of them that have failed, by the names of their errors. */
  readonly failures: Readonly<Record<string, number>>
  /** Items of the whole call; null while the input is still being read. */
  readonly total: number | null
  /** Chunks under way. */
  readonly pending: number
  /** Second copies of chunks that have been started (the option `backup`); absent where there are none. */
  readonly backups?: number
  /** Milliseconds since it was called. */
  readonly age: number
}

/** What a client tells of itself. */
export interface ClientReport {
  readonly host: string
  readonly pid: number
  readonly calls: readonly CallReport[]
}

/** The fields of an order's stream entry. */
export function formatOrder(order: ClientOrder): string[] {
  return ['o', JSON.stringify({ v: protocolVersion, ...order })]
}

/** Reads a stream entry; undefined when it is no order that this client understands. */
export function parseOrder(fields: readonly Buffer[]): ClientOrder | undefined {
  if (fields.length !== 2 || fields[0]?.toString() !== 'o') return undefined
  const record = readable(String(fields[1]), 'an order')
  if (record?.type === 'report') return { type: 'report' }
  return record?.type === 'cancel' && isCount(record.call) ? { type: 'cancel', call: record.call } : undefined
}

export function formatClientReport(report: ClientReport): string {
  return JSON.stringify({ v: protocolVersion, ...report })
}

/** A client's report, or undefined when it is not readable: a client must not be able to break who looks on. */
export function parseClientReport(text: string): ClientReport | undefined {
  const record = readable(text, 'a report') as Partial<ClientReport> | undefined
  if (record === undefined || typeof record.host !== 'string' || !isCount(record.pid)) return undefined
  return Array.isArray(record.calls) && record.calls.every(isCallReport) ? (record as ClientReport) : undefined
}

function isCallReport(value: unknown): boolean {
  const call = value as Partial<CallReport> | null
  return (
    isCount(call?.number) &&
    typeof call?.method === 'string' &&
    typeof call.task === 'string' &&
    isCount(call.done) &&
    (call.total === null || isCount(call.total)) &&
    isCount(call.pending) &&
    (call.backups === undefined || isCount(call.backups)) &&
    isSize(call.age) &&
    Object.values(call.failures ?? {}).every(isCount)
  )
}

function readable(text: string, what: string): Record<string, unknown> | undefined {
  try {
    const record = parseRecord(text, what)
    checkVersion(record, what)
    return record
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}
