// How many worker processes of a host start at the same time.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { StartGate } from '../../../../packages/worker/src/supervisor/start-gate.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A gate with two places, and what has started, with what ends its start. */
function gateOfTwo() {
  const gate = new StartGate(2)
  const started: string[] = []
  const leave = new Map<string, () => void>()
  const enter = (name: string, isNext = false) =>
    gate.enter((left) => {
      started.push(name)
      leave.set(name, left)
    }, isNext)
  return { gate, started, enter, leave: (name: string) => leave.get(name)?.() }
}

test('two start at once, and one more as one has started', () => {
  const { started, enter, leave } = gateOfTwo()
  for (const name of ['a', 'b', 'c', 'd', 'e']) enter(name)
  expect(started).toEqual(['a', 'b'])
  leave('b')
  expect(started).toEqual(['a', 'b', 'c'])
  leave('a')
  leave('c')
  expect(started).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('a start that is told to be over twice (it is ready, and then dies) lets in one', () => {
  const { started, enter, leave } = gateOfTwo()
  for (const name of ['a', 'b', 'c', 'd']) enter(name)
  leave('a')
  leave('a')
  expect(started).toEqual(['a', 'b', 'c'])
})

test('a start that waits for something keeps the others for a while only', () => {
  const { started, enter } = gateOfTwo()
  for (const name of ['a', 'b', 'c']) enter(name)
  vi.advanceTimersByTime(4999)
  expect(started).toEqual(['a', 'b'])
  vi.advanceTimersByTime(1)
  expect(started).toEqual(['a', 'b', 'c'])
})

test('what replaces another comes before what is added', () => {
  const { started, enter, leave } = gateOfTwo()
  for (const name of ['a', 'b', 'c']) enter(name)
  enter('successor', true)
  leave('a')
  expect(started).toEqual(['a', 'b', 'successor'])
})

test('none starts when it is closed', () => {
  const { gate, started, enter, leave } = gateOfTwo()
  for (const name of ['a', 'b', 'c']) enter(name)
  gate.close()
  leave('a')
  enter('d')
  expect(started).toEqual(['a', 'b'])
})
