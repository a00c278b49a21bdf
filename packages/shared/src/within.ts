/**
 * Who waits for a promise, for a time. A reaction on a promise stays until it is settled, however short the wait: polls
 * of a promise that lives long would pile up. So the promise has one reaction, and those who wait come and go.
 */
const waiting = new WeakMap<Promise<unknown>, Set<() => void>>()

/** setTimeout takes no more (it would fire at once): about 24 days. */
const longestTimer = 2 ** 31 - 1

/** Waits for a promise, for so many milliseconds at most. True when it was settled in time. It never rejects. */
export function within(limit: number, promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const waiters = waitersOf(promise)
    const leave = (inTime: boolean) => {
      clearTimeout(timer)
      waiters.delete(settled)
      resolve(inTime)
    }
    const settled = () => leave(true)
    const timer = setTimeout(leave, Math.min(limit, longestTimer), false)
    waiters.add(settled)
  })
}

function waitersOf(promise: Promise<unknown>): Set<() => void> {
  const known = waiting.get(promise)
  if (known !== undefined) return known
  const waiters = new Set<() => void>()
  waiting.set(promise, waiters)
  const tell = () => {
    // Whoever comes later is told by a reaction of his own.
    waiting.delete(promise)
    for (const settled of waiters) settled()
  }
  promise.then(tell, tell)
  return waiters
}
