// The input of a map, cut into chunks.
import { expect, test } from 'vitest'
import { fittingChunkSize } from '../../../../packages/client/src/calls/chunker.js'
import { mapInput } from '../../../../packages/client/src/calls/map-input.js'

const watch = { mayEncode: () => true, encoded: () => undefined }

test.each([0, 1, 2, 7, 8, 9, 100])('%i items are all in it, in chunks of the default size', (count) => {
  const items = Array.from({ length: count }, (_, i) => i)
  const { chunks, items: told, encoded, late } = mapInput(items, fittingChunkSize(items, 2), watch)
  expect([chunks, told, late]).toEqual([encoded.length, count, undefined])
  expect(encoded.reduce((sum, { length }) => sum + length, 0)).toBe(count)
})
