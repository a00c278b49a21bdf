/**
 * Tells of a durable call to those who observe this process, as of other calls: from the moment at which it was begun or joined here, until
 * its handle has what it gives. Each process that passes the items tells of it; who attaches by the key alone has made no call.
 */
import { type CallOpenEvent, type CallSpan, events } from '@poolmq/shared'
import { CallPlace } from '../calls/user-code.js'
import type { PoolLog } from '../pool-logger.js'

export interface DurableEnding {
  readonly done: number
  readonly failed: number
  /** What ended the handle as a whole. */
  readonly error?: unknown
  /** The call goes on without this process. */
  readonly goesOn: boolean
}

export interface DurableObserver {
  /** It was begun, or joined. @param call - `CLIENT.NUMBER` */
  opened(call: string): void
  ended(ending: DurableEnding): void
}

/** Undefined when nobody observes. @param about - the pool, the method, the task, the key */
export function observeDurable(
  about: Omit<CallOpenEvent, 'call'>,
  span: CallSpan | undefined,
  log: PoolLog,
): DurableObserver | undefined {
  const isHeard = events.callOpen.hasSubscribers || events.callEnd.hasSubscribers
  if (span === undefined && !isHeard && !log.isHeard) return undefined
  // Whoever ends the call: they are the observers of the place where it was made.
  const place = new CallPlace()
  let opened: { readonly event: CallOpenEvent; readonly at: number } | undefined
  return {
    opened: (call) => {
      if (opened !== undefined) return
      const event = { ...about, call }
      opened = { event, at: performance.now() }
      place.run(() => {
        events.callOpen.publish(event)
        log.tell('debug', 'a call was made', event)
      })
    },
    ended: ({ done, failed, error, goesOn }) => {
      const outcome = { done, failed, ...(error !== undefined && { error }) }
      place.run(() => {
        span?.end(goesOn ? { done, failed } : outcome)
        if (opened === undefined) return
        const event = { ...opened.event, ...outcome, duration: performance.now() - opened.at }
        events.callEnd.publish(event)
        log.tell('debug', 'a call has ended', event)
      })
    },
  }
}
