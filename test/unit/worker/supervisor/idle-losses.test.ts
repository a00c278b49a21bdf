// When the next worker process starts, where the last ones have ended before they had anything to do.
import { expect, test } from 'vitest'
import { IdleLosses } from '../../../../packages/worker/src/supervisor/idle-losses.js'

/** The pauses where each process ends so long after its start. */
function pauses(count: number, life: number): number[] {
  const losses = new IdleLosses()
  let now = 0
  return Array.from({ length: count }, () => {
    const began = now
    now += life
    const { pause } = losses.ended(began, now)
    now += pause
    return pause
  })
}

test('the first few are replaced at once; those after them later and later, twice a minute at last', () => {
  const found = pauses(15, 500)
  expect(found.slice(0, 6)).toEqual([0, 0, 0, 200, 400, 800])
  expect(found.at(-1)).toBe(30_000)
})

test('those that have lived are none of a row', () => {
  expect(pauses(10, 60_000)).toEqual(Array(10).fill(0))
})

test('several that end together are one of a row, and are told once', () => {
  const losses = new IdleLosses()
  for (const at of [100, 200, 300]) losses.ended(at - 50, at)
  expect(losses.ended(350, 400)).toEqual({ pause: 200, isNews: true })
  expect(losses.ended(360, 450)).toEqual({ pause: 150, isNews: false })
})
