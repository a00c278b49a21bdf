/**
 * Timers and `performance` as our modules import them, led back to the global ones, for tests that stop the clock: fake timers replace
 * those alone, which is why our modules import them.
 *
 *   vi.mock('node:timers', async () => (await import('../support/global-time.js')).timers)
 */
export const timers = {
  setTimeout: (...args: Parameters<typeof setTimeout>) => setTimeout(...args),
  setInterval: (...args: Parameters<typeof setInterval>) => setInterval(...args),
  setImmediate: (...args: Parameters<typeof setImmediate>) => setImmediate(...args),
  clearTimeout: (timer?: NodeJS.Timeout) => clearTimeout(timer),
  clearInterval: (timer?: NodeJS.Timeout) => clearInterval(timer),
  clearImmediate: (immediate?: NodeJS.Immediate) => clearImmediate(immediate),
}

export const perfHooks = { performance: { now: () => performance.now() } }
