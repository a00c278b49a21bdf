import { decodeList, EncodingError } from '@poolmq/shared'
import { assert as holds, integer, property } from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { defaultChunkSize, encodeCall, encodeChunk } from '../../../../packages/client/src/calls/chunker.js'

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

  test('that would be longer than may travel has no payload, and says so of each item', async () => {
    const longestPayload = 8 * 20
    vi.resetModules()
    vi.doMock('@poolmq/shared', async (original) => ({ ...(await original<object>()), longestPayload }))
    try {
      const bounded = await import('../../../../packages/client/src/calls/chunker.js')
      const fits = [
        Array.from({ length: 160 }, (_, i) => i % 100),
        Array.from({ length: 80 }, (_, i) => i * 300),
        Array.from({ length: 40 }, (_, i) => i * 70_000),
        Array.from({ length: 20 }, (_, i) => i + 0.123456789),
        ['x'.repeat(156)],
        // Of two bytes each: characters count.
        ['é'.repeat(156)],
        [1n, 'x'.repeat(135)],
      ]
      for (const items of fits) {
        const chunk = bounded.encodeChunk(items, 'items', 0)
        expect(chunk.failures.size).toBe(0)
        expect(chunk.payload && Array.from(decodeList(chunk.payload))).toEqual(items)
        // One more is too many.
        const more = [...items, ...items.slice(0, 1)]
        const refused = bounded.encodeChunk(more, 'items', 7)
        expect([refused.length, refused.payload]).toEqual([more.length, undefined])
        expect([...refused.failures.keys()]).toEqual([...more.keys()])
        for (const error of refused.failures.values()) {
          expect(error).toBeInstanceOf(EncodingError)
          expect(error.place).toBe('items[7]')
          expect(error.message).toMatch(
            /^a chunk of \d+ items takes \d+ .*at most 160 can travel; use a smaller chunkSize/,
          )
        }
      }
      // One that cannot be encoded beside too many that can: each has its own reason.
      const mixed = bounded.encodeChunk(['x'.repeat(100), () => 1, 'x'.repeat(100)], 'items', 0)
      expect(mixed.payload).toBeUndefined()
      expect([...mixed.failures].map(([i, error]) => [i, error.place])).toEqual([
        [1, 'items[1]'],
        [0, 'items[0]'],
        [2, 'items[0]'],
      ])
      expect(mixed.failures.get(0)?.message).toMatch(/^a chunk of 2 items takes/)
    } finally {
      vi.doUnmock('@poolmq/shared')
      vi.resetModules()
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
