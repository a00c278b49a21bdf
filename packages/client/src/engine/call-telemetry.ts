/** Tells of a call's begin and end to those who observe this process: subscribers of its channels, and its tracer. */
import { performance } from 'node:perf_hooks'
import { type CallSpan, events } from '@poolmq/shared'
import type { Call } from '../calls/call.js'
import { CallPlace } from '../calls/user-code.js'
import type { PoolLog } from '../pool-logger.js'

export function tellOfCall(call: Call, pool: string, clientId: string, span: CallSpan | undefined, log: PoolLog): void {
  const isHeard = events.callOpen.hasSubscribers || events.callEnd.hasSubscribers
  if (span === undefined && !isHeard && !log.isHeard) return
  const opened = { pool, call: `${clientId}.${call.number}`, method: call.method, task: call.taskId }
  events.callOpen.publish(opened)
  log.tell('debug', 'a call was made', opened)
  // Whoever ends the call: they are the observers of the place where it was made.
  const place = new CallPlace()
  const end = () => {
    let failed = 0
    for (const count of call.failures.values()) failed += count
    const outcome = { done: call.done, failed, ...(call.failure !== undefined && { error: call.failure }) }
    span?.end(outcome)
    const ended = { ...opened, ...outcome, duration: performance.now() - call.opened }
    events.callEnd.publish(ended)
    log.tell('debug', 'a call has ended', ended)
  }
  call.atEnd.push(() => place.run(end))
}
