import { ConnectionError, Pool, ThreadPool } from '@poolmq/client'
import { beforeEach, describe, expect, test, vi } from 'vitest'
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
