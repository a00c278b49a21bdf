/** What a handle of a durable call is told when there is no result. */
import { CancelledError, ConnectionError, DurableLostError, type ItemRange, NoDurableCallError } from '@poolmq/shared'

/** Ranges that a message names. */
const mostNamed = 5

export function noCall(key: string, more = ''): NoDurableCallError {
  return new NoDurableCallError(
    `there is no durable call ${JSON.stringify(key)} in this pool: none was begun, it was forgotten, or the time that it is kept is over${more}`,
    { key },
  )
}

/** @param how - `was cancelled`, … */
export function cancelled(key: string, how: string): CancelledError {
  return new CancelledError(`The durable call ${JSON.stringify(key)} ${how}`)
}

/** What Redis has refused, as it is short of memory, or the user of rights. @param isAbandoned - a run of it has been ended for that */
export function refused(key: string, cause: unknown, isAbandoned: boolean): ConnectionError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const name = JSON.stringify(key)
  const rest = isAbandoned
    ? `. The call has been cancelled: when there is room, ifDone: 'rerun-failed' runs what had not ended, and pool.attach(${name}).forget() removes it`
    : ''
  return new ConnectionError(`Redis refused what is asked for the durable call ${name}: ${reason}${rest}`, { cause })
}

/** @param size - bytes that the items take @param left - that Redis has left */
export function noRoom(key: string, size: number, left: number): ConnectionError {
  const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`
  return new ConnectionError(
    `Redis has no room for the durable call ${JSON.stringify(key)}: its items take ${mebibytes(size)}, and ${mebibytes(left)} of maxmemory are left. ` +
      'Nothing of it was kept. Raise maxmemory, or make a call of each part, one after the other',
  )
}

export function lostItems(key: string, items: readonly ItemRange[]): DurableLostError {
  const named = items.slice(0, mostNamed).map(([from, to]) => (to - from === 1 ? String(from) : `${from} to ${to - 1}`))
  const more = items.length > named.length ? `, and ${items.length - named.length} more ranges` : ''
  return new DurableLostError(
    `Redis has lost items of the durable call ${JSON.stringify(key)}, or their results: ${named.join(', ')}${more}. Pass the same items ` +
      'under the same key, and they run',
    { key, items },
  )
}
