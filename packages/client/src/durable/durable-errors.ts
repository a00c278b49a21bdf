/** What a handle of a durable call is told when there is no result. */
import { CancelledError, DurableLostError, type ItemRange, NoDurableCallError } from '@poolmq/shared'

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

export function lostItems(key: string, items: readonly ItemRange[]): DurableLostError {
  const named = items.slice(0, mostNamed).map(([from, to]) => (to - from === 1 ? String(from) : `${from} to ${to - 1}`))
  const more = items.length > named.length ? `, and ${items.length - named.length} more ranges` : ''
  return new DurableLostError(
    `Redis has lost items of the durable call ${JSON.stringify(key)}, or their results: ${named.join(', ')}${more}. Pass the same items ` +
      'under the same key, and they run',
    { key, items },
  )
}
