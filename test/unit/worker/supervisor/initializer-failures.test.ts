// The tries of an initializer that fails: what it waits for may need a moment, but not for ever.
import type { WireError } from '@poolmq/shared'
import { describe, expect, test } from 'vitest'
import { InitializerFailures } from '../../../../packages/worker/src/supervisor/initializer-failures.js'

const error = (message: string) => ({ n: 'Error', m: message }) as unknown as WireError

/** One try, by a clock of the test's own: the milliseconds until the next, or what it is given up for. */
function tryAt(failures: InitializerFailures, clientId: string, now: number, began = now): unknown {
  const { state } = failures.failed({ clientId, error: error(`at ${now}`), began }, now)
  return state.broken ?? state.restsUntil - now
}

describe('a client that has never been served', () => {
  test('has three rounds, over more than a second; then it is given up', () => {
    const failures = new InitializerFailures()
    expect(tryAt(failures, 'a', 1000)).toBe(300)
    expect(tryAt(failures, 'a', 1300)).toBe(1200)
    expect(tryAt(failures, 'a', 2500)).toEqual(error('at 2500'))
    expect(failures.states).toMatchObject([{ clientId: 'a', broken: error('at 2500') }])
  })

  test('what many processes began in one moment is one round, whenever they tell', () => {
    const failures = new InitializerFailures()
    expect(tryAt(failures, 'a', 1000, 0)).toBe(300)
    for (let i = 0; i < 7; i++) expect(tryAt(failures, 'a', 1100, i)).toBe(200)
    // A slow one, whose next round could have begun already.
    expect(tryAt(failures, 'a', 9000, 100)).toBe(0)
    expect(tryAt(failures, 'a', 9000, 1300)).toBe(1200)
  })

  test('starts anew when it has succeeded, and then is tried without end', () => {
    const failures = new InitializerFailures()
    tryAt(failures, 'a', 1000)
    tryAt(failures, 'a', 1300)
    failures.succeeded('a')
    expect(tryAt(failures, 'a', 2000)).toBe(300)
    let now = 2000
    for (let round = 0; round < 20; round++) {
      now += 30_000
      expect(tryAt(failures, 'a', now)).toBeTypeOf('number')
    }
    expect(tryAt(failures, 'a', now + 30_000)).toBe(30_000)
  })

  test('is tried without end while another host serves it', () => {
    const failures = new InitializerFailures()
    tryAt(failures, 'a', 1000)
    failures.servedElsewhere('a')
    for (const now of [10_000, 20_000, 60_000]) expect(tryAt(failures, 'a', now)).toBeTypeOf('number')
  })
})

test('each client has its own', () => {
  const failures = new InitializerFailures()
  for (const now of [1000, 1300, 2500]) tryAt(failures, 'a', now)
  expect(tryAt(failures, 'b', 2500)).toBe(300)
})

test('the clients of a long life take no more room than some', () => {
  const failures = new InitializerFailures()
  for (let i = 0; i < 2000; i++) {
    failures.succeeded(`served-${i}`)
    tryAt(failures, `failing-${i}`, i)
  }
  expect(failures.size).toBeLessThanOrEqual(200)
})
