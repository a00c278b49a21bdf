// What a client says that its chunks cost, and what it tells the others.
import { expect, test } from 'vitest'
import { FairShare } from '../../../../packages/client/dist/session/fair-share.js'

const chunk = (length: number, taskId = 't') => ({ taskId, chunk: { length } })
/** The step of chunks with this mean of items of 't': it is told where another task is among them, which is unknown here and costs a millisecond. */
const step = (share: FairShare, items: number): number => {
  const told = share.of([chunk(items), chunk(1, 'unknown')])
  if (!('step' in told)) throw new Error('chunks of two tasks have a step')
  return 2 * told.step - 0.001 / share.weight
}

test('of chunks of one task it is told which, how many items each has, and the weight', () => {
  const share = new FairShare('k', 4)
  expect(share.of([chunk(1000)])).toEqual({ key: 'k', task: 't', items: 1000, weight: 4 })
  expect(share.of([chunk(1), chunk(2)])).toEqual({ key: 'k', task: 't', items: 1.5, weight: 4 })
})

test('of chunks of several what they cost on the average, by the weight', () => {
  const share = new FairShare('k', 2)
  expect(share.of([chunk(1), chunk(1, 'other')])).toEqual({ key: 'k', step: 0.0005 })
  share.heard('t', 10, 200)
  share.heard('other', 1, 60)
  expect(share.of([chunk(5), chunk(1, 'other')])).toEqual({ key: 'k', step: expect.closeTo(0.04, 10) })
})

test('where nobody shares all cost the same: Redis is not to note another share for each call', () => {
  const share = new FairShare('k', 1, false)
  expect(share.of([chunk(1000)])).toEqual({ key: 'k', step: 0.001 })
  expect(share.of([chunk(1), chunk(2, 'other')])).toEqual({ key: 'k', step: 0.001 })
})

test('a chunk costs what its items took, and no less than its way', () => {
  const share = new FairShare('k', 2)
  share.heard('t', 10, 200)
  expect(step(share, 5)).toBeCloseTo(0.05, 10)
  const tiny = new FairShare('k', 2)
  tiny.heard('t', 1000, 0.01)
  expect(step(tiny, 1)).toBeCloseTo(0.00005, 10)
})

test('what is charged stays as long as it is about right, and follows what changes', () => {
  const share = new FairShare('k', 1)
  share.heard('t', 1, 10)
  for (let i = 0; i < 100; i++) share.heard('t', 1, i % 2 === 0 ? 9 : 11)
  expect(step(share, 1)).toBeCloseTo(0.01, 10)
  for (let i = 0; i < 500; i++) share.heard('t', 1, 50)
  expect(step(share, 1)).toBeGreaterThan(0.047)
})

test('a first chunk that was slow is soon forgotten', () => {
  const share = new FairShare('k', 1)
  share.heard('t', 1, 100)
  for (let i = 0; i < 200; i++) share.heard('t', 1, 1)
  expect(step(share, 1)).toBeLessThan(0.0016)
})

test('rare long ones count: it is the mean', () => {
  const share = new FairShare('k', 1)
  for (let i = 0; i < 2000; i++) share.heard('t', 1, i % 20 === 0 ? 100 : 1)
  expect(step(share, 1)).toBeGreaterThan(0.0045)
  expect(step(share, 1)).toBeLessThan(0.0075)
})

test('chunks that did not run say nothing', () => {
  const share = new FairShare('k', 1)
  share.heard('t', 0, 10)
  share.heard('t', 5, 0)
  expect(step(share, 1)).toBeCloseTo(0.001, 10)
  expect(share.takeHeard()).toEqual([])
})

test('what all have seen counts, whatever the client hears itself', () => {
  const share = new FairShare('k', 1)
  share.learn('t', 0.01)
  expect(step(share, 1)).toBeCloseTo(0.01, 10)
  for (let i = 0; i < 100; i++) share.heard('t', 1, 30)
  expect(step(share, 1)).toBeCloseTo(0.01, 10)
  share.learn('t', 0.02)
  expect(step(share, 1)).toBeCloseTo(0.02, 10)
})

test('what was heard is told once, at once after the first chunk of a task, and when it is known better', () => {
  const share = new FairShare('k', 1)
  let news = 0
  share.onNews = () => {
    news++
  }
  share.heard('t', 1, 250)
  expect(news).toBe(1)
  expect(share.takeHeard()).toEqual([{ taskId: 't', chunks: 1, sum: 0.25 }])
  for (let i = 0; i < 300; i++) share.heard('t', 2, 1000)
  expect(news).toBe(2)
  share.heard('other', 1, 500)
  expect(news).toBe(3)
  expect(share.takeHeard()).toEqual([
    { taskId: 't', chunks: 300, sum: 150 },
    { taskId: 'other', chunks: 1, sum: 0.5 },
  ])
  expect(share.takeHeard()).toEqual([])
})
