// What a client says that its chunks cost.
import { expect, test } from 'vitest'
import { FairShare } from '../../../../packages/client/dist/session/fair-share.js'

const chunk = (length: number, taskId = 't') => ({ taskId, chunk: { length } })

test('a chunk of which nothing is known costs a millisecond, by the weight', () => {
  expect(new FairShare('k', 1).of([chunk(1000)])).toEqual({ key: 'k', step: 0.001 })
  expect(new FairShare('k', 4).of([chunk(1), chunk(2)])).toEqual({ key: 'k', step: 0.00025 })
})

test('it costs what its items took, and no less than its way', () => {
  const share = new FairShare('k', 2)
  share.heard('t', 10, 200)
  expect(share.of([chunk(5)]).step).toBeCloseTo(0.05, 10)
  expect(share.of([chunk(5), chunk(15)]).step).toBeCloseTo(0.1, 10)
  expect(share.of([chunk(5, 'other')]).step).toBe(0.0005)
  share.heard('tiny', 1000, 0.01)
  expect(share.of([chunk(1, 'tiny')]).step).toBe(0.00005)
})

test('what is told stays as long as it is about right, and follows what changes', () => {
  const share = new FairShare('k', 1)
  share.heard('t', 1, 10)
  for (let i = 0; i < 100; i++) share.heard('t', 1, i % 2 === 0 ? 9 : 11)
  expect(share.of([chunk(1)]).step).toBe(0.01)
  for (let i = 0; i < 500; i++) share.heard('t', 1, 50)
  expect(share.of([chunk(1)]).step).toBeGreaterThan(0.047)
})

test('a first chunk that was slow is soon forgotten', () => {
  const share = new FairShare('k', 1)
  share.heard('t', 1, 100)
  for (let i = 0; i < 200; i++) share.heard('t', 1, 1)
  expect(share.of([chunk(1)]).step).toBeLessThan(0.0016)
})

test('rare long ones count: it is the mean', () => {
  const share = new FairShare('k', 1)
  for (let i = 0; i < 2000; i++) share.heard('t', 1, i % 20 === 0 ? 100 : 1)
  expect(share.of([chunk(1)]).step).toBeGreaterThan(0.0045)
  expect(share.of([chunk(1)]).step).toBeLessThan(0.0075)
})

test('chunks that did not run say nothing', () => {
  const share = new FairShare('k', 1)
  share.heard('t', 0, 10)
  share.heard('t', 5, 0)
  expect(share.of([chunk(1)]).step).toBe(0.001)
})
