import { ConnectionError, Pool, ThreadPool } from '@poolmq/client'
import { PoolKeys } from '@poolmq/shared'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { Census } from '../../../packages/client/src/engine/census.js'
import { PoolLog } from '../../../packages/client/src/pool-logger.js'
import { parsePoolOptions } from '../../../packages/client/src/pool-options.js'

beforeEach(() => void vi.stubEnv('REDIS_URL', undefined))

describe('a named pool that no host can reach is refused where it is made', () => {
  test.each([
    ['no connection', { name: 'sums' }],
    ['a variable that is not set', { name: 'sums', connection: process.env.NO_SUCH_VARIABLE }],
    ['no processes of its own', { name: 'sums', processes: 0 }],
  ])('%s', (_what, options) => {
    for (const make of [() => new Pool(options), () => new ThreadPool(options)]) {
      expect(make).toThrow(ConnectionError)
      expect(make).toThrow(
        /the pool "sums" has no worker processes of its own.*REDIS_URL is not set.*connection: 'redis:.*processes: 2/,
      )
    }
  })

  test('an empty REDIS_URL is none, and so is an empty address', () => {
    vi.stubEnv('REDIS_URL', '')
    expect(() => new Pool({ name: 'sums' })).toThrow(/no connection is given and REDIS_URL is empty/)
    expect(() => new Pool({ name: 'sums', connection: undefined })).toThrow(
      /connection is undefined and REDIS_URL is empty/,
    )
    expect(() => new Pool({ name: 'sums', connection: '' })).toThrow(/connection is not an address of Redis.*got ""/)
  })

  test('errors of other options come first, as Python has them', () => {
    expect(() => new Pool({ name: 'sums', processes: -1 })).toThrow(RangeError)
    expect(() => new Pool({ name: 'no name' })).toThrow(/name must be/)
  })
})

describe('bytes in Redis', () => {
  test('a whole number of at least 1 MiB, or Infinity', () => {
    for (const maxBytes of [64, 0, -1, 1.5 * 2 ** 20 + 0.5, Number.NaN]) {
      expect(() => new Pool({ processes: 1, maxBytes })).toThrow(/maxBytes must be a whole number of at least 1048576/)
    }
    expect(() => new Pool({ processes: 1, maxBytes: '64mb' as never })).toThrow(TypeError)
    for (const maxBytes of [2 ** 20, Number.POSITIVE_INFINITY]) {
      expect(parsePoolOptions({ processes: 1, maxBytes }, false).maxBytes).toBe(maxBytes)
    }
  })
})

describe('expected workers', () => {
  const census = (lanes: number, expectedWorkers?: number) =>
    new Census(
      { name: 'jobs', lanes, processes: lanes, threads: false, expectedWorkers },
      new PoolKeys('jobs'),
      new PoolLog(undefined, { pool: 'jobs', client: 'client00' }),
    )

  test('are reckoned with while none is known but the own ones', () => {
    expect(census(0).workers).toBe(4)
    expect(census(0, 2).workers).toBe(2)
    expect(census(0, 30).workers).toBe(30)
    expect(census(2).workers).toBe(2)
    expect(census(2, 30).workers).toBe(30)
    expect(census(2, 1).workers).toBe(2)
  })

  test('a private pool has none, and says so', () => {
    const message = 'expectedWorkers has nothing to apply to: a private pool has no workers but its own'
    expect(() => new Pool({ processes: 1, expectedWorkers: 8 })).toThrow(message)
    expect(() => new ThreadPool({ processes: 1, expectedWorkers: 8 })).toThrow(TypeError)
    expect(() => new Pool({ processes: 1, expectedWorkers: 0 })).toThrow(RangeError)
  })
})

describe('a share of a named pool', () => {
  const parse = (share: unknown) =>
    parsePoolOptions({ name: 'jobs', connection: 'redis://127.0.0.1', share: share as never }, false).share

  test('a key, a weight, or both', () => {
    expect(parse(undefined)).toBeUndefined()
    expect(parse({})).toEqual({})
    expect(parse({ key: 'team-a', weight: 0.5 })).toEqual({ key: 'team-a', weight: 0.5 })
  })

  test.each([
    [7, TypeError, 'share must be an object with a key or a weight, got 7'],
    [[2], TypeError, 'share must be an object'],
    [{ wieght: 2 }, TypeError, 'share: unknown option "wieght"; known are key, weight'],
    [{ key: '' }, RangeError, "share.key must be 1 to 100 letters, digits, '_', '.', '-', got \"\""],
    [{ key: 'a b' }, RangeError, 'share.key'],
    [{ key: 3 }, TypeError, 'share.key must be a string, got 3'],
    [{ weight: '2' }, TypeError, 'share.weight must be a number, got "2"'],
    [{ weight: 0 }, RangeError, 'share.weight must be from 0.01 to 100, got 0'],
    [{ weight: Number.NaN }, RangeError, 'share.weight must be from 0.01 to 100, got NaN'],
    [{ weight: 101 }, RangeError, 'share.weight'],
  ])('%j is refused', (share, kind, message) => {
    expect(() => parse(share)).toThrow(kind)
    expect(() => parse(share)).toThrow(message)
  })

  test('a private pool has nothing to share', () => {
    expect(() => new Pool({ processes: 1, share: { weight: 2 } })).toThrow(
      'share has nothing to apply to: a private pool has one producer; give the pool a name',
    )
  })
})

describe('tasks at a time', () => {
  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 10_001])(
    'concurrency or threads %s: RangeError',
    (value) => {
      expect(() => new Pool({ processes: 2, concurrency: value })).toThrow(RangeError)
      expect(() => new ThreadPool({ processes: 2, threads: value })).toThrow(RangeError)
    },
  )

  test.each(['2', null, {}])('concurrency or threads %s: TypeError', (value) => {
    expect(() => new Pool({ processes: 2, concurrency: value as never })).toThrow(/concurrency must be a whole number/)
    expect(() => new ThreadPool({ processes: 2, threads: value as never })).toThrow(/threads must be a whole number/)
  })

  test('what nothing applies to is refused', () => {
    const redis = { name: 'sums', connection: 'redis://localhost:1' }
    expect(() => new Pool({ ...redis, concurrency: 4 })).toThrow(/concurrency 4 has nothing to apply to.*--concurrency/)
    expect(() => new ThreadPool({ ...redis, threads: 1 })).toThrow(/threads must be at most processes, which is 0 here/)
    expect(() => new ThreadPool({ processes: 2, threads: 3 })).toThrow(/threads must be at most processes, which is 2/)
  })

  test('each class has its own option, and says so', () => {
    expect(() => new ThreadPool({ processes: 2, concurrency: 2 } as never)).toThrow(/concurrency is an option of Pool/)
    expect(() => new Pool({ processes: 2, threads: 2 } as never)).toThrow(/threads is an option of ThreadPool/)
    expect(() => new ThreadPool({ processes: 2, treads: 2 } as never)).toThrow(/ThreadPool: unknown option "treads"/)
  })
})
