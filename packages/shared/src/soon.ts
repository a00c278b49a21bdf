/**
 * `queueMicrotask`, as it was when this was loaded: fake timers of a test replace the global one, and a pool does not stand still with
 * the test's clock. For the same reason timers, and `performance`, are imported from Node.js wherever no user's time is meant.
 */
export const soon = globalThis.queueMicrotask
