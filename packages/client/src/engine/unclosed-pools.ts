/**
 * Pools that nobody has closed. One that is dropped while running is terminated with a warning, as Python's
 * ResourceWarning; those that are left when the program has nothing more to do are terminated, so that it leaves nothing
 * behind.
 */
import { setImmediate } from 'node:timers'
import type { PoolEngine } from './pool-engine.js'

const running = new Set<PoolEngine>()

const dropped = new FinalizationRegistry<PoolEngine>((engine) => {
  if (!running.has(engine)) return
  process.emitWarning(`unclosed running pool of size ${engine.census.seen}; call close() or terminate()`, {
    type: 'ResourceWarning',
    code: 'POOLMQ_UNCLOSED',
  })
  end(engine)
})

export function watchPool(pool: object, engine: PoolEngine): void {
  if (running.size === 0) process.on('beforeExit', endAll)
  running.add(engine)
  dropped.register(pool, engine, engine)
}

export function forgetPool(engine: PoolEngine): void {
  dropped.unregister(engine)
  running.delete(engine)
  if (running.size === 0) process.off('beforeExit', endAll)
}

/** Other listeners of the same event may give a pool work, and then the program goes on: it is told again when that is done. */
function endAll(): void {
  setImmediate(() => {
    for (const engine of running) if (!engine.isAwaited) end(engine)
  })
}

function end(engine: PoolEngine): void {
  forgetPool(engine)
  void engine.terminate()
}
