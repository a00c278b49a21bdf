// The input of a map, cut into chunks.
import { expect, test } from 'vitest'
import { type EncodedChunk, fittingChunkSize } from '../../../../packages/client/src/calls/chunker.js'
import { mapInput } from '../../../../packages/client/src/calls/map-input.js'

const watch = { early: 1e9, encoded: () => undefined }

test.each([0, 1, 2, 7, 8, 9, 100])('%i items are all in it, in chunks of the default size', (count) => {
  const items = Array.from({ length: count }, (_, i) => i)
  const { chunks, items: told, hand } = mapInput(items, fittingChunkSize(items, 2), watch)
  const encoded: EncodedChunk[] = []
  const late = hand((chunk, index) => {
    expect(index).toBe(encoded.push(chunk) - 1)
  })
  expect([chunks, told, late]).toEqual([encoded.length, count, undefined])
  expect(encoded.reduce((sum, { length }) => sum + length, 0)).toBe(count)
})
