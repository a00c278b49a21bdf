import { Deferred, within } from '@poolmq/shared'
import { describe, expect, test, vi } from 'vitest'

describe('within', () => {
  test('tells whether it was in time, and never rejects', async () => {
    expect(await within(60_000, Promise.resolve())).toBe(true)
    expect(await within(60_000, Promise.reject(new Error('failed')))).toBe(true)
    expect(await within(1, new Promise(() => undefined))).toBe(false)
    expect(await within(Number.MAX_SAFE_INTEGER, Promise.resolve())).toBe(true)
  })

  test('leaves one reaction on a promise, however often it is polled', async () => {
    const { promise, resolve } = new Deferred()
    const then = vi.spyOn(promise, 'then')
    for (let i = 0; i < 5; i++) expect(await within(1, promise)).toBe(false)
    const many = Promise.all(Array.from({ length: 100 }, () => within(1, promise)))
    expect(await many).toEqual(new Array(100).fill(false))
    expect(then).toHaveBeenCalledTimes(1)
    const [first, second] = [within(60_000, promise), within(60_000, promise)]
    resolve()
    expect(await Promise.all([first, second])).toEqual([true, true])
    expect(await within(60_000, promise)).toBe(true)
  })
})
