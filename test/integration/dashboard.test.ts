// The dashboard over HTTP: who may ask it what. What it looks like is dashboard-page.test.ts.
import { request } from 'node:http'
import { Pool } from '@poolmq/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'

const name = uniqueName('dashboard')
const token = '0123456789abcdef'
let readOnly: { run: ProgramRun; port: number }
let control: { run: ProgramRun; port: number }
let shown: { run: ProgramRun; port: number }

async function dashboard(...flags: string[]): Promise<{ run: ProgramRun; port: number }> {
  const run = new ProgramRun([poolmqCommand, 'dashboard', '--pool', name, '--port', '0', ...flags], {
    env: { REDIS_URL: redisUrl() },
  })
  await run.says(/at http:\/\/\S+\/\S*\n/)
  return { run, port: Number(/:(\d+)\//.exec(run.stdout)?.[1]) }
}

beforeAll(async () => {
  ;[readOnly, control, shown] = await Promise.all([
    dashboard(),
    dashboard('--allow-control'),
    dashboard('--host', '0.0.0.0', '--token', token, '--allow-host', 'pools.example', '--allow-control'),
  ])
})

afterAll(async () => {
  for (const one of [readOnly, control, shown]) await one?.run[Symbol.asyncDispose]()
})

interface Asked {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** Asks as anything could: with whatever headers. */
async function ask(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body }: Asked = {},
): Promise<{ status: number; text: string; headers: Record<string, unknown> }> {
  return await new Promise((resolve, reject) => {
    const asked = request(
      { port, host: '127.0.0.1', path, method, headers, setHost: !('host' in headers) },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }))
      },
    )
    asked.on('error', reject).end(body)
  })
}

const page = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
const order = JSON.stringify({ pool: name, subject: 'client.1' })

describe('what is shown', () => {
  test('the page and its libraries, and nothing else that is on this machine', async () => {
    for (const path of [
      '/',
      '/app.js',
      '/charts.js',
      '/style.css',
      '/icon.svg',
      '/lib/preact.js',
      '/lib/htm.js',
      '/lib/uplot.js',
    ]) {
      expect((await ask(readOnly.port, path)).status, path).toBe(200)
    }
    for (const path of [
      '/package.json',
      '/../package.json',
      '/%2e%2e/package.json',
      '/lib/',
      '/constructor',
      '/__proto__',
    ]) {
      expect((await ask(readOnly.port, path)).status, path).toBe(404)
    }
  })

  test('with a policy that lets nothing in from elsewhere', async () => {
    const { headers, text } = await ask(readOnly.port, '/')
    expect(headers['content-security-policy']).toMatch(/default-src 'none'; script-src 'self'/)
    expect(headers['content-security-policy']).not.toContain('unsafe')
    expect(headers['access-control-allow-origin']).toBeUndefined()
    expect(text).not.toMatch(/https?:\/\/|<script>|style="/)
  })
})

describe('who may ask', () => {
  test.each([
    ['this machine', '127.0.0.1', 200],
    ['this machine, by its name and a port', 'localhost:1234', 200],
    ['a name that was made to lead here', 'evil.example', 421],
    ['one that looks like it', 'localhost.evil.example', 421],
    ['an address that is none of its own', '10.0.0.1:80', 421],
    ['nothing at all', '', 421],
  ])('%s', async (_what, host, status) => {
    expect((await ask(control.port, '/api/about', { headers: { host } })).status).toBe(status)
    const asked = { method: 'POST', headers: { ...page, host }, body: order }
    expect((await ask(control.port, '/api/cancel', asked)).status).toBe(status)
  })

  test.each([
    ['its own page', page, 200],
    ['another site', { ...page, 'sec-fetch-site': 'cross-site' }, 403],
    ['another port of this machine', { ...page, 'sec-fetch-site': 'same-site' }, 403],
    ['who does not say from where', { 'content-type': 'application/json' }, 403],
    ['a form', { ...page, 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['text that is JSON', { ...page, 'content-type': 'text/plain' }, 415],
  ])('for a change: %s', async (_what, headers, status) => {
    for (const path of ['/api/cancel', '/api/drain', '/api/resume']) {
      expect((await ask(control.port, path, { method: 'POST', headers, body: order })).status).toBe(status)
    }
  })

  test('a read-only one changes nothing for anybody', async () => {
    for (const path of ['/api/cancel', '/api/drain', '/api/pause', '/api/resume']) {
      expect((await ask(readOnly.port, path, { method: 'POST', headers: page, body: order })).status).toBe(403)
    }
    for (const method of ['PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      expect((await ask(readOnly.port, '/api/pause', { method, headers: page })).status).toBe(405)
    }
  })

  test.each([
    ['orders that nobody knows', '/api/explode', order, 404],
    ['pools that are not its own', '/api/pause', '{"pool":"another"}', 404],
    ['no JSON', '/api/pause', 'pause', 404],
    ['too much', '/api/pause', JSON.stringify({ pool: name, subject: 'x'.repeat(20_000) }), 404],
    ['no call', '/api/cancel', JSON.stringify({ pool: name, subject: '../x' }), 400],
  ])('%s', async (_what, path, body, status) => {
    expect((await ask(control.port, path, { method: 'POST', headers: page, body })).status).toBe(status)
  })
})

test.each([
  ['1', 200],
  ['false', 403],
  ['', 403],
])('POOLMQ_ALLOW_CONTROL=%s', async (value, status) => {
  await using run = new ProgramRun([poolmqCommand, 'dashboard', '--pool', name, '--port', '0'], {
    env: { REDIS_URL: redisUrl(), POOLMQ_ALLOW_CONTROL: value },
  })
  await run.says(/at http:\/\/\S+\/\S*\n/)
  const port = Number(/:(\d+)\//.exec(run.stdout)?.[1])
  expect((await ask(port, '/api/resume', { method: 'POST', headers: page, body: order })).status).toBe(status)
})

describe('elsewhere than on this machine: a token', () => {
  test('is asked for at the start', async () => {
    await using run = new ProgramRun([poolmqCommand, 'dashboard', '--pool', name, '--host', '0.0.0.0'], {
      env: { REDIS_URL: redisUrl() },
    })
    expect(await run.exit()).toBe(2)
    expect(run.complaints[0]).toMatch(/--token/)
  })

  test.each([
    ['none', {}, 401],
    ['a wrong one', { authorization: 'Bearer 0123456789abcdeF' }, 401],
    ['a wrong cookie', { cookie: 'poolmq-token=%ff' }, 401],
    ['the right one', { authorization: `Bearer ${token}` }, 200],
    ['the right one, by another spelling', { authorization: `bearer ${token}` }, 200],
    ['as a cookie', { cookie: `a=b; poolmq-token=${token}` }, 200],
  ])('%s', async (_what, given, status) => {
    const headers = { host: 'pools.example', ...given } as Record<string, string>
    expect((await ask(shown.port, '/api/about', { headers })).status).toBe(status)
    expect((await ask(shown.port, '/', { headers })).status).toBe(status)
    const changed = await ask(shown.port, '/api/resume', {
      method: 'POST',
      headers: { ...page, ...headers },
      body: order,
    })
    expect(changed.status).toBe(status)
  })

  test('in the address, once: the browser keeps it as a cookie that no script reads and no other site sends', async () => {
    expect(shown.run.stdout).toContain(`/?token=${token}`)
    const { status, headers } = await ask(shown.port, `/?token=${token}`, { headers: { host: 'pools.example' } })
    expect({ status, location: headers.location }).toEqual({ status: 303, location: './' })
    expect(String(headers['set-cookie'])).toMatch(/HttpOnly; SameSite=Strict/)
  })
})

test('what tasks are given and give is not in it', async () => {
  using scratch = new Scratch()
  await using pool = new Pool({ name, connection: redisUrl(), processes: 1 })
  const [started, go] = [scratch.latch('started'), scratch.latch('go')]
  const secret = 918_273_645
  const held = pool.mapAsync(latches.hold, [{ started: started.path, go: go.path, value: secret }])
  await started.opened()
  const events = await new Promise<string>((resolve, reject) => {
    let text = ''
    request({ port: readOnly.port, host: '127.0.0.1', path: `/api/events?pool=${name}` }, (response) => {
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
        if (text.split('\n\n').length < 4) return
        response.destroy()
        resolve(text)
      })
    })
      .on('error', reject)
      .end()
  })
  expect(events).toContain('latches.hold')
  expect(events).not.toContain(String(secret))
  expect(events).not.toContain(scratch.directory)
  go.open()
  expect(await held).toEqual([secret])
})

test('behind a proxy that shows it under a path of its own: nothing of the page is asked for by an address from the root', async () => {
  for (const path of ['/', '/app.js', '/charts.js']) {
    const { text } = await ask(readOnly.port, path)
    expect(text.match(/(?:href|src|from|import|fetch\(|EventSource\() ?=?["'`]\/[^"'`]*/g) ?? [], path).toEqual([])
  }
})

test('HEAD of what has no end is answered, and ends', async () => {
  const { status } = await ask(readOnly.port, `/api/events?pool=${name}`, { method: 'HEAD' })
  expect(status).toBe(200)
})

test('a port that is taken: one line, exit code 1', async () => {
  await using run = new ProgramRun([poolmqCommand, 'dashboard', '--pool', name, '--port', String(readOnly.port)], {
    env: { REDIS_URL: redisUrl() },
  })
  expect(await run.exit()).toBe(1)
  expect(run.stderr).toMatch(/^poolmq: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*\n$/)
})
