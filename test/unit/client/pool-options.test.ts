import { ConnectionError, Pool, ThreadPool } from '@poolmq/client'
import { beforeEach, describe, expect, test, vi } from 'vitest'

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
