// The tries of an initializer that fails: what it waits for may need a moment, but not for ever.
import type { WireError } from '@poolmq/shared'
import { expect, test } from 'vitest'
import { InitializerFailures } from '../../../../packages/worker/src/supervisor/initializer-failures.js'

const error = (message: string) => ({ n: 'Error', m: message }) as unknown as WireError

test('three tries, after 100 and 200 ms; then the pool is given up, and nothing waits', () => {
  const failures = new InitializerFailures()
  expect(failures.failed('a', error('1'))).toBe(100)
  expect(failures.broken).toEqual([])
  expect(failures.failed('a', error('2'))).toBe(200)
  expect(failures.broken).toEqual([])
  expect(failures.failed('a', error('3'))).toBe(0)
  expect(failures.broken).toEqual([['a', error('3')]])
})

test('a success between them starts the count anew', () => {
  const failures = new InitializerFailures()
  failures.failed('a', error('1'))
  failures.failed('a', error('2'))
  failures.succeeded('a')
  expect(failures.failed('a', error('3'))).toBe(100)
  expect(failures.broken).toEqual([])
})

test('each pool has its own', () => {
  const failures = new InitializerFailures()
  for (const message of ['1', '2', '3']) failures.failed('a', error(message))
  expect(failures.failed('b', error('1'))).toBe(100)
  expect(failures.broken.map(([client]) => client)).toEqual(['a'])
})
