// Worker processes that cannot start: what may pass is waited for, and only what can never work gives a host up.
import { ConnectionError, ModuleError, PoolError, WorkerLostError } from '@poolmq/shared'
import { describe, expect, test } from 'vitest'
import { StartFailures } from '../../../../packages/worker/src/supervisor/start-failures.js'

const refusal = (code: string) => Object.assign(new Error(`spawn ${code}`), { code })

/** Fails again each time that it is tried; the pauses, and what the host is given up for. */
function failOn(failures: StartFailures, error: unknown, refused: boolean, most: number): [number[], unknown] {
  const pauses: number[] = []
  for (let now = 0; pauses.length < most; ) {
    const next = failures.failed({ error, refused, began: now }, now)
    if (typeof next !== 'number') return [pauses, next]
    pauses.push(next)
    now += next
  }
  return [pauses, undefined]
}

describe('a host that has never served', () => {
  test('a module that does not load is its last word, after three tries', () => {
    const error = new ModuleError('it does not load', { module: 'a.js' })
    expect(failOn(new StartFailures(), error, false, 9)).toEqual([[100, 200], error])
  })

  test('many processes that fail in one moment are one try', () => {
    const failures = new StartFailures()
    const error = new ModuleError('it does not load')
    for (let i = 0; i < 64; i++) expect(failures.failed({ error, refused: false, began: 0 }, i)).toBe(100 - i)
  })

  test.each(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'])('%s is waited for some seconds', (code) => {
    const [pauses, error] = failOn(new StartFailures(), refusal(code), true, 99)
    const waited = pauses.reduce((sum, pause) => sum + pause)
    expect(waited).toBeGreaterThan(20_000)
    expect(waited).toBeLessThan(60_000)
    expect(error).toBeInstanceOf(WorkerLostError)
    expect(error).toMatchObject({ code: 'ERR_POOL_WORKER_LOST', cause: { code } })
    expect((error as Error).message).toContain(code)
  })

  test('whatever it was, it is a PoolError', () => {
    for (const reason of [new Error('exit code 1'), 'a string', undefined]) {
      expect(failOn(new StartFailures(), reason, false, 9)[1]).toBeInstanceOf(PoolError)
    }
  })
})

describe('a host that has served', () => {
  test.each([
    ['a module that does not load', new ModuleError('gone'), false],
    ['a process that ends', new Error('exit code 1'), false],
    ['no room for a process', refusal('EAGAIN'), true],
  ])('%s: it is tried without end, at most twice a minute', (_what, error, refused) => {
    const failures = new StartFailures()
    failures.succeeded()
    const [pauses, end] = failOn(failures, error, refused, 50)
    expect(end).toBeUndefined()
    expect(pauses.slice(0, 3)).toEqual([100, 200, 400])
    expect(pauses.at(-1)).toBe(30_000)
    failures.succeeded()
    expect(failures.failed({ error, refused, began: 1e9 }, 1e9)).toBe(100)
  })
})

test('a Redis out of reach of one process is waited for', () => {
  expect(failOn(new StartFailures(), new ConnectionError('no answer'), false, 50)[1]).toBeUndefined()
})
