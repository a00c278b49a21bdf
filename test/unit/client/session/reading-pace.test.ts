// How long results gather before they are read: never at the end of a call, and never for somebody who sees each.
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Awaited, pauseAfter, ReadingPace } from '../../../../packages/client/src/session/reading-pace.js'

describe('the pause after a read', () => {
  test.each<[string, number, Awaited, number]>([
    ['one call of one chunk', 0.5, { underWay: 1, canGather: false }, 0],
    ['many single calls', 0.1, { underWay: 1000, canGather: false }, 1],
    ['an imap of slow chunks', 20, { underWay: 1000, canGather: false }, 0],
    ['a map of short chunks, far from its end', 0.1, { underWay: 10_000, canGather: true }, 50],
    ['the same, near its end', 0.1, { underWay: 400, canGather: true }, 5],
    ['the same, at its end', 0.1, { underWay: 40, canGather: true }, 0],
    ['a map of slow chunks', 13, { underWay: 300, canGather: true }, 50],
    ['a map of chunks that take seconds', 3000, { underWay: 300, canGather: true }, 0],
  ])('%s', (_what, interval, awaited, pause) => {
    expect(pauseAfter(interval, awaited)).toBe(pause)
  })

  test('is short beside the rest of the work, and gathers two results or more', () => {
    const awaited = fc.record({ underWay: fc.nat(1e6), canGather: fc.boolean() })
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e5, noNaN: true }), awaited, (interval, given) => {
        const pause = pauseAfter(interval, given)
        expect(pause).toBeLessThanOrEqual(given.canGather ? Math.min(50, (interval * given.underWay) / 8) : 1)
        if (pause > 0) expect(pause).toBeGreaterThanOrEqual(2 * interval)
      }),
    )
  })
})

test('a pause ends when somebody waits for a single result', { timeout: 30_000 }, async () => {
  // Results come at such a pace that each pause is of the longest kind.
  const pace = new ReadingPace({ underWay: 1e9, canGather: true })
  const began = performance.now()
  for (let i = 0; i < 200; i++) {
    const rested = pace.rest(1000)
    pace.hurry()
    await rested
  }
  // 200 pauses of 50 ms are 10 s.
  expect(performance.now() - began).toBeLessThan(8000)
})

test('without anybody in a hurry, results gather', async () => {
  const pace = new ReadingPace({ underWay: 1e9, canGather: true })
  const began = performance.now()
  for (let i = 0; i < 3; i++) await pace.rest(1000)
  expect(performance.now() - began).toBeGreaterThan(100)
})

test('the first results of a wave do not hold up the rest of it', async () => {
  const pace = new ReadingPace({ underWay: 1000, canGather: true })
  // Fast ones, then nothing for a while.
  await pace.rest(1000)
  await sleep(60)
  const first = await Promise.race([pace.rest(2).then(() => 'rested'), sleep(45).then(() => 'late')])
  expect(first).toBe('rested')
})
