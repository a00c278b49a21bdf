// A producer without a usable Redis: every call rejects with the same clear error within 5 s, and the program ends.
import { ConnectionError, Pool } from '@poolmq/client'
import { describe, expect, test } from 'vitest'
import { fixture, ProgramRun } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { SilentServer } from '../support/silent-server.js'
import { until } from '../support/until.js'

interface Report {
  readonly call: string
  readonly after: number
  readonly value?: unknown
  readonly code?: string
  readonly name?: string
  readonly message?: string
}

const work = [
  'apply',
  'applyAsync',
  'map',
  'mapAsync',
  'starmap',
  'starmapAsync',
  'imap',
  'imapUnordered',
  'a later call',
]
const ends = ['join', 'terminate', 'terminate of another']

const wrongPassword = () => {
  const url = new URL(redisUrl())
  url.username = 'nobody'
  url.password = 'hunter2'
  return url.href
}

async function expectOneError(run: ProgramRun, says: RegExp, within: number): Promise<void> {
  expect(await run.exit()).toBe(0)
  const reports = new Map<string, Report>()
  for (const line of run.stdout.trim().split('\n')) {
    const report = JSON.parse(line) as Report
    reports.set(report.call, report)
  }
  for (const call of work) {
    const report = reports.get(call)
    expect(report).toMatchObject({ call, name: 'ConnectionError', code: 'ERR_POOL_CONNECTION' })
    expect(report?.message).toMatch(says)
    expect(report?.message).not.toContain('hunter2')
    expect(report?.after).toBeLessThan(within)
  }
  expect(reports.get('errors heard')?.value).toBe(3)
  for (const call of ends) expect(reports.get(call)).toMatchObject({ call, value: null })
  expect(run.stderr).toBe('')
  await until(
    'no process is left',
    () => run.processes().size,
    (size) => size === 0,
  )
}

describe('every call rejects, every end returns, nothing else is said', () => {
  test.each([
    ['nothing listens', () => 'redis://127.0.0.1:1', /redis:\/\/127\.0\.0\.1:1: nothing listens there.*REDIS_URL/],
    ['no such host', () => 'redis://no-such-host.invalid', /host name does not resolve/],
    ['no such socket', () => 'unix:///no/such/redis.sock', /no such socket/],
    ['a wrong password', wrongPassword, /user name or password are wrong/],
  ])('%s', async (_what, url, says) => {
    await using run = new ProgramRun([fixture('bad-redis-program'), url()])
    await expectOneError(run, says, 5000)
  })

  test('no Redis anywhere', async () => {
    const env = { PATH: '/no/such/directory' }
    await using run = new ProgramRun([fixture('bad-redis-program')], { env })
    await expectOneError(run, /found none.*connection option.*REDIS_URL.*redis-server.*container/s, 5000)
  })

  test('a server that never answers', async () => {
    await using silent = await SilentServer.start()
    await using run = new ProgramRun([fixture('bad-redis-program'), silent.url])
    // 4.5 s, and what it takes to hear of it; a second try would take as long again.
    await expectOneError(run, /it does not answer/, 9000)
  })
})

describe('an address that cannot be one is refused at once', () => {
  test.each([
    ['another protocol', 'http://localhost:6379', /must begin with redis:\/\//],
    ['no protocol', 'localhost:6379', /must begin with redis:\/\//],
    ['a port beyond all', 'redis://localhost:99999', /port above 65535/],
    ['a database that is no number', 'redis://localhost/cache', /number of a database/],
    ['a password with a slash', 'redis://:hunter2/x@localhost', /%2F/],
  ])('%s', (_what, connection, says) => {
    const make = () => new Pool({ processes: 1, connection })
    expect(make).toThrow(ConnectionError)
    expect(make).toThrow(says)
    expect(make).not.toThrow(/hunter2/)
  })

  test.each([[null], [6379], [true]])('a value of a wrong type: %s', (connection) => {
    expect(() => new Pool({ processes: 1, connection: connection as never })).toThrow(TypeError)
  })
})
