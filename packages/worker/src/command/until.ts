import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds between two looks. */
const interval = 200

/** Looks until it is so, for so many milliseconds at most; false when it is not. */
export async function until(limit: number, isSo: () => Promise<boolean>): Promise<boolean> {
  for (const end = performance.now() + limit; ; await delay(interval)) {
    if (await isSo()) return true
    if (performance.now() > end) return false
  }
}
