import { decodeList, EncodingError } from '@poolmq/shared'
import { assert as holds, integer, property } from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import {
  defaultChunkSize,
  encodeCall,
  encodeChunk,
  evenChunkSize,
  fittingChunkSize,
} from '../../../../packages/client/src/calls/chunker.js'

describe('the default chunk size is Python’s', () => {
  // Read off CPython: n items, w workers, size.
  test.each([
    [1, 4, 1],
    [10, 4, 1],
    [16, 4, 1],
    [17, 4, 2],
    [100, 4, 7],
    [100, 3, 9],
    [1000, 2, 125],
  ])('%i items, %i workers: %i', (items, workers, size) => {
    expect(defaultChunkSize(items, workers)).toBe(size)
  })

  test('never more than four chunks a worker, and never a chunk without items', async () => {
    await holds(
      property(integer({ min: 1, max: 1e6 }), integer({ min: 1, max: 1e4 }), (items, workers) => {
        const size = defaultChunkSize(items, workers)
        return size >= 1 && Math.ceil(items / size) <= 4 * workers
      }),
    )
  })
})

describe('where several tasks run in one worker process, the default chunk size fills the last round', () => {
  test.each([
    [10_000, 400, 5], // five rounds of five; Python's 7 would take four, 28 items one after the other
    [1000, 100, 2],
    [1601, 400, 1], // five, where Python's 2 would take six
    [1600, 400, 1],
    [100_000, 16, 1563], // what is left empty of so many chunks' last round is little
    [3, 400, 1],
    [0, 400, 0],
  ])('%i items, %i lanes: %i', (items, lanes, size) => {
    expect(evenChunkSize(items, lanes)).toBe(size)
  })

  test('never more than Python’s, at least half of it, and never more items one after the other', async () => {
    const span = (items: number, lanes: number, size: number) => Math.ceil(Math.ceil(items / size) / lanes) * size
    await holds(
      property(integer({ min: 1, max: 1e5 }), integer({ min: 2, max: 5000 }), (items, lanes) => {
        const [even, usual] = [evenChunkSize(items, lanes), defaultChunkSize(items, lanes)]
        expect(even).toBeLessThanOrEqual(usual)
        expect(even).toBeGreaterThanOrEqual(usual / 2)
        expect(span(items, lanes, even)).toBeLessThanOrEqual(span(items, lanes, usual))
      }),
    )
  })
})

describe('the default chunk size knows bytes:', () => {
  const bytes = (length: number) => Buffer.alloc(length)
  const large = bytes(20_000_000)
  test.each<[string, readonly unknown[], number]>([
    ['numbers', Array.from({ length: 1000 }, (_, i) => i), 125],
    ['texts', Array.from({ length: 1000 }, (_, i) => `text ${i}`), 125],
    ['rows', Array.from({ length: 1000 }, (_, i) => ({ i, when: new Date(i), list: [i] })), 125],
    ['items of 1 MB', Array.from({ length: 400 }, () => bytes(1_000_000)), 8],
    ['texts of 1 MB', Array.from({ length: 400 }, (_, i) => String(i).padEnd(1_000_000)), 8],
    ['items of 20 MB', Array.from({ length: 64 }, () => bytes(20_000_000)), 1],
    ['items that share 20 MB', Array.from({ length: 400 }, (_, i) => [i, large]), 50],
    ['one large among many', [large, ...Array.from({ length: 399 }, (_, i) => i)], 50],
    ['few', [large, bytes(20_000_000), 1], 1],
    ['none', [], 0],
  ])('%s', (_what, items, size) => {
    expect(fittingChunkSize(items, 2)).toBe(size)
  })

  test('and what may be in Redis at a time: each worker has some chunks of it', () => {
    const items = Array.from({ length: 400 }, () => bytes(1_000_000))
    expect([64, 32, 1].map((mebibytes) => fittingChunkSize(items, 4, mebibytes * 2 ** 20))).toEqual([4, 2, 1])
  })
})

describe('a chunk', () => {
  test('carries its items', () => {
    const chunk = encodeChunk([1, 'a', { b: [2] }], 'items', 0)
    expect(chunk.failures.size).toBe(0)
    expect(chunk.payload && decodeList(chunk.payload)).toEqual([1, 'a', { b: [2] }])
  })

  test('leaves out what cannot travel, and says where it was', () => {
    const chunk = encodeChunk([1, () => 2, 3, { deep: Symbol('x') }], 'items', 10)
    expect(chunk.length).toBe(4)
    expect(chunk.payload && decodeList(chunk.payload)).toEqual([1, 3])
    expect([...chunk.failures.keys()]).toEqual([1, 3])
    expect(chunk.failures.get(1)).toBeInstanceOf(EncodingError)
    expect(chunk.failures.get(3)?.place).toBe('items[13].deep')
  })

  test('carries numbers, at whatever length', () => {
    for (const length of [15, 16, 10_000]) {
      const items = Array.from({ length }, (_, i) => i / 2)
      const { payload, failures } = encodeChunk(items, 'items', 0)
      expect(failures.size).toBe(0)
      expect(payload?.encoding).toBe(length < 16 ? 'json' : 'numbers')
      expect(payload && Array.from(decodeList(payload))).toEqual(items)
    }
  })

  test('of numbers and of what cannot travel carries the numbers', () => {
    const items: unknown[] = Array.from({ length: 100 }, (_, i) => i)
    items[50] = () => 1
    const chunk = encodeChunk(items, 'items', 0)
    expect([...chunk.failures.keys()]).toEqual([50])
    expect(chunk.payload?.encoding).toBe('numbers')
    expect(chunk.payload && Array.from(decodeList(chunk.payload))).toEqual(items.filter((_, i) => i !== 50))
  })

  test('that is too much for one string travels as several', () => {
    const limit = 1000
    const { stringify } = JSON
    const short = vi.spyOn(JSON, 'stringify').mockImplementation((...args: Parameters<typeof stringify>) => {
      const text = stringify(...args)
      if (text?.length > limit) throw new RangeError('Invalid string length')
      return text
    })
    try {
      const items = [...Array.from({ length: 50 }, (_, i) => `${i}${'x'.repeat(90)}`), { when: new Date(0) }]
      const chunk = encodeChunk(items, 'items', 0)
      expect(chunk.failures.size).toBe(0)
      expect(chunk.payload?.encoding).toBe('blobs')
      expect(chunk.payload && decodeList(chunk.payload)).toEqual(items)
      // One that is too much by itself fails alone.
      const mixed = encodeChunk([...items, 'x'.repeat(2000), ...items, () => 1], 'items', 7)
      expect([...mixed.failures].map(([i, error]) => [i, error.place])).toEqual([
        [51, 'items[58]'],
        [103, 'items[110]'],
      ])
      expect(mixed.failures.get(51)?.reason).toMatch(/too large/)
      expect(mixed.payload && decodeList(mixed.payload)).toEqual([...items, ...items])
    } finally {
      short.mockRestore()
    }
  })

  test('of which nothing can travel has no payload', () => {
    expect(encodeChunk([() => 1], 'items', 0).payload).toBeUndefined()
  })

  test('of apply names the argument', () => {
    const chunk = encodeCall([1, { fn: () => 2 }])
    expect(chunk.failures.get(0)?.place).toBe('args[1].fn')
  })
})
