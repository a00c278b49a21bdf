import { describe, expect, test } from 'vitest'
import { AutoSize, fixedSize } from '../../../../packages/client/src/calls/chunk-sizer.js'

/** Lets chunks of the wanted size come back until the size stays. */
function settle(sizer: AutoSize, itemDuration: number, itemCharacters = 10): number {
  for (let i = 0; i < 50; i++) {
    const size = sizer.next(0)
    sizer.observe(size, size * itemDuration, size * itemCharacters)
  }
  return sizer.next(0)
}

describe('auto', () => {
  test('begins with single items', () => {
    expect(new AutoSize(2, undefined).next(0)).toBe(1)
  })

  test.each([
    [100, 1],
    [20, 1],
    [1, 20],
    [0.1, 200],
  ])('items of %d ms: about 20 ms in a chunk', (duration, size) => {
    expect(settle(new AutoSize(2, undefined), duration)).toBeGreaterThanOrEqual(size * 0.9)
    expect(settle(new AutoSize(2, undefined), duration)).toBeLessThanOrEqual(size * 1.1)
  })

  test('is bounded by characters: large items travel in small chunks', () => {
    expect(settle(new AutoSize(2, undefined), 0.001, 100_000)).toBeLessThanOrEqual(11)
  })

  test('grows by steps, as a few items are a poor measure', () => {
    const sizer = new AutoSize(2, undefined)
    sizer.observe(1, 0.001, 10)
    expect(sizer.next(0)).toBe(8)
    sizer.observe(8, 0.008, 80)
    expect(sizer.next(0)).toBe(64)
  })

  test('small chunks that come back late do not shrink it', () => {
    const sizer = new AutoSize(2, undefined)
    const size = settle(sizer, 0.01)
    sizer.observe(1, 0.01, 10)
    expect(sizer.next(0)).toBeGreaterThanOrEqual(size * 0.9)
  })

  test('shrinks when items turn out slow', () => {
    const sizer = new AutoSize(2, undefined)
    settle(sizer, 0.01)
    expect(settle(sizer, 10)).toBeLessThanOrEqual(3)
  })

  test('shrinks towards the end of an input of known length', () => {
    const sizer = new AutoSize(2, 1000)
    settle(sizer, 0.01)
    const sizes = []
    for (let read = 0; read < 1000; ) {
      const size = sizer.next(read)
      sizes.push(size)
      read += size
    }
    expect(sizes[0]).toBe(250)
    expect(sizes.at(-1)).toBe(1)
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a))
  })
})

test('a fixed size stays', () => {
  const sizer = fixedSize(7)
  sizer.observe(7, 1000, 1e6)
  expect(sizer.next(0)).toBe(7)
  expect(sizer.eager).toBe(false)
})
