/** Chunks wait in the order in which Redis gives them out: what was given back, then by priority, then by age. */
import { expect, test } from 'vitest'
import { type WaitingChunk, WaitingChunks } from '../../../../packages/worker/src/inline/waiting-chunks.js'

const chunk = (jobId: string, priority = 0) => ({ jobId, priority, taskId: 'math.square', data: '', parts: undefined })

function all(waiting: WaitingChunks): string[] {
  const ids: string[] = []
  for (let next = waiting.take(); next !== undefined; next = waiting.take()) ids.push(next.sent.jobId)
  return ids
}

test('by priority, then by age; what was given back comes first', () => {
  const waiting = new WaitingChunks()
  for (const [id, priority] of [
    ['a', 0],
    ['b', 7],
    ['c', 2],
    ['d', 0],
    ['e', 2],
  ] as const)
    waiting.add(chunk(id, priority))
  const first = waiting.take() as WaitingChunk
  expect(first.sent.jobId).toBe('a')
  const second = waiting.take() as WaitingChunk
  waiting.giveBack(second)
  expect(waiting.size).toBe(4)
  expect(all(waiting)).toEqual(['d', 'c', 'e', 'b'])
  expect([waiting.size, waiting.oldest, waiting.take()]).toEqual([0, undefined, undefined])
})

test('what nobody wants is dropped, wherever it waits', () => {
  const waiting = new WaitingChunks()
  for (const id of ['a', 'b', 'c']) waiting.add(chunk(id, 1))
  waiting.giveBack(waiting.take() as WaitingChunk)
  expect(['a', 'c', 'c', 'x'].map((id) => waiting.drop(id))).toEqual([true, true, false, false])
  expect(waiting.oldest).toBeTypeOf('number')
  expect(all(waiting)).toEqual(['b'])
  waiting.add(chunk('d'))
  waiting.clear()
  expect(waiting.size).toBe(0)
})
