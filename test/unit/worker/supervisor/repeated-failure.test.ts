// What fails each second is told now and then.
import { expect, test } from 'vitest'
import { RepeatedFailure } from '../../../../packages/worker/src/supervisor/repeated-failure.js'

test('the first, a new reason, and one a minute', () => {
  const failure = new RepeatedFailure()
  expect(failure.over()).toBe(0)
  const busy = Array.from({ length: 120 }, (_, second) => failure.isNews(new Error('BUSY'), second * 1000))
  expect(busy.flatMap((isNews, second) => (isNews ? [second] : []))).toEqual([0, 60])
  expect(failure.isNews(new Error('OOM'), 119_500)).toBe(true)
  expect(failure.isNews(new Error('OOM'), 120_000)).toBe(false)
  expect(failure.times).toBe(122)
  expect(failure.over()).toBe(122)
  expect(failure.isNews(new Error('OOM'), 121_000)).toBe(true)
})
