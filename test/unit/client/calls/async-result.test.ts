import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { AsyncResult } from '@poolmq/client'
import { describe, expect, test } from 'vitest'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes that each of many polls leaves. */
async function bytesLeft(poll: () => Promise<unknown>): Promise<number> {
  const polls = 5000
  const round = () => Promise.all(Array.from({ length: polls }, poll))
  await round()
  collect()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 4; i++) await round()
  collect()
  return (process.memoryUsage().heapUsed - before) / (4 * polls)
}

describe('AsyncResult', () => {
  test.each<[string, (result: AsyncResult<number>) => Promise<unknown>]>([
    ['wait', (result) => result.wait(1)],
    ['get', (result) => result.get(1).catch(() => undefined)],
    ['a get that only looks', (result) => result.get(0).catch(() => undefined)],
  ])('polls leave nothing: %s', async (_what, poll) => {
    const result = new AsyncResult<number>()
    expect(await bytesLeft(() => poll(result))).toBeLessThan(50)
    AsyncResult.fulfil(result, 5)
    expect(await result.get(1)).toBe(5)
  })

  test('ends although its error cannot be looked at', async () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    const result = new AsyncResult<number>()
    const waiting = [result.get(), result.get(60_000), result.then(() => undefined)]
    AsyncResult.reject(result, proxy)
    for (const { status } of await Promise.allSettled(waiting)) expect(status).toBe('rejected')
  })
})
