/**
 * Failures of a command that pass by themselves: the connection broke under it (ioredis does not send a pipeline again of
 * which some was answered), or the server is starting, busy, or changing its role. What is asked here may be asked again.
 */
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'

const passing =
  /aborted due to connection close|^(NOSCRIPT|LOADING|BUSY|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|READONLY|UNBLOCKED|NOREPLICAS)\b/

export function isPassing(error: unknown): boolean {
  return error instanceof Error && passing.test(error.message)
}

/** A refusal that is about this very command, and will be the same the next time. */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof Error &&
    error.name === 'ReplyError' &&
    !passing.test(error.message) &&
    !/OOM|MISCONF/.test(error.message)
  )
}

/** A key of ours is somebody else's. It passes when that one is deleted, and not before: whoever waits is told. */
export function isWrongType(error: unknown): boolean {
  return error instanceof Error && /\bWRONGTYPE\b/.test(error.message)
}

/** Milliseconds for which something is asked again. */
const patience = 30_000

/** Does something that can be done twice, again and again while it fails in passing. */
export async function untilAnswered<T>(action: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + patience; ; await delay(50)) {
    try {
      return await action()
    } catch (error) {
      if (!isPassing(error) || performance.now() > end) throw error
    }
  }
}
