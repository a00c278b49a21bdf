// The pool's Redis is gone for good while the pool is busy: its calls say so at once, and its end takes no time, as there
// is nobody to say farewell to.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ConnectionError, Pool, ThreadPool } from '@poolmq/client'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, inject, test, vi } from 'vitest'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { Scratch } from '../support/latch.js'
import { RedisDatabase } from '../support/redis-database.js'
import { until } from '../support/until.js'

/** Milliseconds: the end takes a fraction of a second, and took 34 s. */
const limit = 20_000

/** Rejects unless it comes in time; resolves with the milliseconds that it has taken. */
async function timed(what: Promise<unknown>): Promise<number> {
  const start = performance.now()
  await what
  return performance.now() - start
}

/** Ends a pool in one of the ways of ending it. */
const ends: Record<string, (pool: Pool | ThreadPool) => Promise<void>> = {
  'close and join': (pool) => {
    pool.close()
    return pool.join()
  },
  terminate: (pool) => pool.terminate(),
}

async function killEmbedded(directory: string): Promise<void> {
  const [name = ''] = readdirSync(directory).filter((entry) => entry.startsWith('poolmq-'))
  const redis = new Redis(join(directory, name, 'redis.sock'))
  const pid = Number(/process_id:(\d+)/.exec(await redis.info('server'))?.[1])
  redis.disconnect()
  process.kill(pid, 'SIGKILL')
}

describe.skipIf(inject('redisProgram') === '')('the embedded Redis is killed', () => {
  afterEach(() => vi.unstubAllEnvs())

  test.each([
    ['tasks hold their processes', Pool, 'spin', 'close and join'],
    ['tasks wait, others wait for them', Pool, 'hold', 'close and join'],
    ['tasks wait', Pool, 'hold', 'terminate'],
    ['tasks hold their threads', ThreadPool, 'spin', 'close and join'],
    ['nothing runs', Pool, 'nothing', 'close and join'],
  ] as const)('while %s in a %o (%s), then %s', async (_what, Kind, work, how) => {
    using scratch = new Scratch()
    vi.stubEnv('REDIS_URL', '')
    vi.stubEnv('TMPDIR', scratch.directory)
    const [started, go] = [scratch.latch('started'), scratch.latch('go').path]
    const pool = new Kind(2)
    const items = Array.from({ length: 20 }, (_, value) => ({ started: started.path, go, value }))
    const call =
      work === 'spin'
        ? pool.applyAsync(latches.spin, [started.path])
        : work === 'hold'
          ? pool.mapAsync(latches.hold, items, 1)
          : undefined
    if (call === undefined) expect(await pool.apply(math.square, [2])).toBe(4)
    else await started.opened()
    await killEmbedded(scratch.directory)
    if (call !== undefined) {
      const error = await call.get(limit).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(ConnectionError)
      expect(String(error)).toContain('embedded Redis')
    }
    await expect(pool.apply(math.square, [2])).rejects.toBeInstanceOf(ConnectionError)
    expect(await timed((ends[how] as (typeof ends)[string])(pool))).toBeLessThan(limit)
    expect(readdirSync(scratch.directory).filter((name) => name.startsWith('poolmq-'))).toEqual([])
  })
})

test.each(Object.keys(ends))(
  'the given instance is closed by its owner, then %s: its keys go all the same',
  async (how) => {
    using scratch = new Scratch()
    await using redis = await RedisDatabase.open(13)
    await redis.flush()
    const connection = new Redis(redis.url)
    const pool = new Pool({ processes: 1, connection })
    const started = scratch.latch('started')
    const call = pool.applyAsync(latches.spin, [started.path])
    await started.opened()
    connection.disconnect()
    const error = await call.get(limit).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ConnectionError)
    expect(String(error)).toContain('not by PoolMQ')
    expect(await timed((ends[how] as (typeof ends)[string])(pool))).toBeLessThan(limit)
    await until(
      'no key is left',
      () => redis.keys(),
      (keys) => keys.length === 0,
    )
  },
)
