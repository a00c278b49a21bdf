import { getEventListeners } from 'node:events'
import { runInNewContext } from 'node:vm'
import { expect, test, vi } from 'vitest'
import { isAbortSignal, watchAbort } from '../../../packages/client/dist/engine/abort-watch.js'

/** As the polyfills of old have it: no `once`, no `reason`, no `throwIfAborted`. */
class OldSignal {
  aborted = false
  readonly #listeners = new Set<() => void>()
  addEventListener = (_type: string, listener: () => void) => void this.#listeners.add(listener)
  removeEventListener = (_type: string, listener: () => void) => void this.#listeners.delete(listener)
  get count() {
    return this.#listeners.size
  }
  abort() {
    this.aborted = true
    for (const listener of [...this.#listeners]) listener()
  }
}

test('a signal is known by its shape, of whatever realm or package', () => {
  const { signal } = new AbortController()
  const elsewhere: unknown = runInNewContext(
    `({ aborted: false, reason: undefined, addEventListener() {}, removeEventListener() {} })`,
  )
  for (const one of [signal, AbortSignal.any([signal]), AbortSignal.timeout(9e6), new OldSignal(), elsewhere]) {
    expect(isAbortSignal(one)).toBe(true)
  }
  for (const none of [
    undefined,
    null,
    'abort',
    {},
    new AbortController(),
    { aborted: false },
    new EventTarget(),
    () => 1,
  ]) {
    expect(isAbortSignal(none)).toBe(false)
  }
})

test.each([
  [
    'an AbortSignal',
    () => {
      const controller = new AbortController()
      const { signal } = controller
      return { signal, abort: () => controller.abort(), count: () => getEventListeners(signal, 'abort').length }
    },
  ],
  [
    'a polyfill',
    () => {
      const signal = new OldSignal()
      return { signal: signal as unknown as AbortSignal, abort: () => signal.abort(), count: () => signal.count }
    },
  ],
])('%s has one listener, while somebody waits; each is told once', (_what, make) => {
  const { signal, abort, count } = make()
  const heard = Array.from({ length: 50 }, () => vi.fn())
  const ends = heard.map((listener) => watchAbort(signal, listener))
  expect(count()).toBe(1)
  for (const end of ends) end()
  expect(count()).toBe(0)
  const again = heard.map((listener) => watchAbort(signal, listener))
  again[0]?.()
  abort()
  expect(count()).toBe(0)
  expect(heard.map((listener) => listener.mock.calls.length)).toEqual([0, ...Array(49).fill(1)])
  for (const end of again) end()
})

test('one that is told may take others back', () => {
  const controller = new AbortController()
  const later = vi.fn()
  const ends: (() => void)[] = []
  ends.push(
    watchAbort(controller.signal, () => ends[1]?.()),
    watchAbort(controller.signal, later),
  )
  controller.abort()
  expect(later).not.toHaveBeenCalled()
  expect(getEventListeners(controller.signal, 'abort')).toEqual([])
})
