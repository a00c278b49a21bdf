// The id of a chunk: all that an outcome's way home is told by.
import { expect, test } from 'vitest'
import { callIdOf, formatChunkId, parseChunkId } from '../../../../packages/shared/src/records/job-id.js'

const clientId = 'client00'

test.each([0, 1] as const)('copy %i is read as it is written', (copy) => {
  const jobId = formatChunkId(clientId, 12, 345, copy)
  expect(parseChunkId(jobId)).toEqual({ clientId, call: 12, index: 345, copy })
  expect(callIdOf(jobId)).toBe('client00.12')
})

test('a chunk has the id that it always had', () => {
  expect(formatChunkId(clientId, 0, 7)).toBe('client00.0.7')
  expect(formatChunkId(clientId, 0, 7, 1)).toBe('client00.0.7.1')
})

test.each([
  'client00.0',
  'client00.0.7.',
  'client00.0.7.0',
  'client00.0.7.2',
  'client00.0.7.1.1',
  'client00.0.7.10',
  '',
])('%j is none of ours', (jobId) => {
  expect(parseChunkId(jobId)).toBeUndefined()
})
