// The end that a worker process is given by its supervisor.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Deadline } from '../../../../packages/worker/src/supervisor/deadline.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('is over once, after its time', () => {
  const over = vi.fn()
  new Deadline().set(500, over)
  vi.advanceTimersByTime(499)
  expect(over).not.toHaveBeenCalled()
  vi.advanceTimersByTime(5000)
  expect(over).toHaveBeenCalledOnce()
})

test('one that is set anew takes the place of the one before', () => {
  const first = vi.fn()
  const second = vi.fn()
  const deadline = new Deadline()
  deadline.set(500, first)
  deadline.set(1000, second)
  vi.advanceTimersByTime(999)
  expect(second).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(second).toHaveBeenCalledOnce()
  expect(first).not.toHaveBeenCalled()
})

test('one that is cleared is never over', () => {
  const over = vi.fn()
  const deadline = new Deadline()
  deadline.set(500, over)
  deadline.clear()
  vi.advanceTimersByTime(10_000)
  expect(over).not.toHaveBeenCalled()
})

test('a process that was suspended itself first hears what was said meanwhile', () => {
  const over = vi.fn()
  const clock = vi.spyOn(performance, 'now').mockReturnValue(0)
  new Deadline().set(500, over)
  clock.mockReturnValue(60_000)
  vi.advanceTimersByTime(500)
  expect(over).not.toHaveBeenCalled()
  clock.mockReturnValue(61_000)
  vi.advanceTimersByTime(1000)
  expect(over).toHaveBeenCalledOnce()
  clock.mockRestore()
})
