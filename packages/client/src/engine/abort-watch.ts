/**
 * Hears of aborts with one listener for each signal of this process, whatever the number of pools and calls that it was
 * given to: a signal warns of more than ten, and removing one of thousands takes a walk through them.
 */

/** What is needed of an AbortSignal: of any realm, or of a polyfill. */
export type AbortSignalLike = Pick<AbortSignal, 'aborted' | 'reason' | 'addEventListener' | 'removeEventListener'>

interface Watch {
  readonly listener: () => void
  readonly waiting: Set<() => void>
}

const watches = new WeakMap<AbortSignalLike, Watch>()

export function isAbortSignal(value: unknown): value is AbortSignalLike {
  if (typeof value !== 'object' || value === null) return false
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignalLike>
  return (
    typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
  )
}

/** Calls `onAbort` once when the signal is aborted. Returns what takes that back. */
export function watchAbort(signal: AbortSignalLike, onAbort: () => void): () => void {
  const watch = watches.get(signal) ?? startWatch(signal)
  watch.waiting.add(onAbort)
  return () => {
    watch.waiting.delete(onAbort)
    if (watch.waiting.size === 0) stopWatch(signal, watch)
  }
}

function startWatch(signal: AbortSignalLike): Watch {
  const waiting = new Set<() => void>()
  const listener = () => {
    stopWatch(signal, watch)
    for (const onAbort of waiting) onAbort()
    waiting.clear()
  }
  const watch = { listener, waiting }
  watches.set(signal, watch)
  signal.addEventListener('abort', listener)
  return watch
}

function stopWatch(signal: AbortSignalLike, watch: Watch): void {
  if (watches.get(signal) !== watch) return
  watches.delete(signal)
  signal.removeEventListener('abort', watch.listener)
}
