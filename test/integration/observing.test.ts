// What a process can hear of itself: channels, and spans of a tracer.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Pool } from '@poolmq/client'
import { afterEach, describe, expect, test } from 'vitest'
import { math } from '../fixtures/dist/math-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { redisUrl } from '../support/redis-database.js'

const ended: (() => void)[] = []
afterEach(() => {
  for (const end of ended.splice(0)) end()
})

/** All that is told on a channel from now on. */
function listen(name: string): Record<string, unknown>[] {
  const told: Record<string, unknown>[] = []
  const onMessage = (message: unknown) => void told.push(message as Record<string, unknown>)
  subscribe(name, onMessage)
  ended.push(() => unsubscribe(name, onMessage))
  return told
}

describe('channels in a producer', () => {
  test('a call that ends, one that fails, one that is cancelled', async () => {
    const [opened, closed] = [listen('poolmq:call:open'), listen('poolmq:call:end')]
    const name = uniqueName('observing')
    await using pool = new Pool({ name, connection: redisUrl(), processes: 1 })
    await pool.map(math.square, [1, 2, 3], 1)
    await pool.apply(math.failOn, [{ value: 1, bad: [1] }]).catch(() => undefined)
    const stop = new AbortController()
    const cancelled = pool.applyAsync(math.sleep, [60_000], undefined, { signal: stop.signal })
    stop.abort()
    await cancelled.wait()
    expect(opened).toEqual([
      { pool: name, call: expect.stringMatching(/^\w+\.0$/), method: 'map', task: 'math.square' },
      expect.objectContaining({ method: 'apply', task: 'math.failOn' }),
      expect.objectContaining({ method: 'applyAsync', task: 'math.sleep' }),
    ])
    expect(closed).toEqual([
      { ...opened[0], done: 3, failed: 0, duration: expect.any(Number) },
      { ...opened[1], done: 1, failed: 1, duration: expect.any(Number) },
      {
        ...opened[2],
        done: 0,
        failed: 0,
        duration: expect.any(Number),
        error: expect.objectContaining({ name: 'CancelledError' }),
      },
    ])
  })
})
