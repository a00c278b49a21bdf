/** Each order is carried out once, by whoever starts such an item first. */
import { expect, test } from 'vitest'
import { KillOrders } from '../../../../packages/client/src/testing/kill-orders.js'
import { TemporaryDirectory } from '../../../support/redis-process.js'

test('an order is for one item, and is taken once', () => {
  using directory = new TemporaryDirectory('orders')
  const [given, mine, others] = [0, 0, 0].map(() => new KillOrders(directory.path)) as [
    KillOrders,
    KillOrders,
    KillOrders,
  ]
  given.give('a', { index: 3, task: undefined })
  given.give('b', { index: 3, task: 'math.square' })
  expect(mine.take('math.square', 2)).toBe(false)
  expect(given.killed('a')).toBeUndefined()
  expect(mine.take('math.cube', 3)).toBe(true)
  expect([given.killed('a'), given.killed('b')]).toEqual([process.pid, undefined])
  expect(others.take('math.cube', 3)).toBe(false)
  expect(others.take('math.square', 3)).toBe(true)
  expect(mine.take('math.square', 3)).toBe(false)
  expect(given.killed('b')).toBe(process.pid)
})
