// `poolmq worker --health-port`: what an orchestrator is told while Redis is stopped, killed and back, and while the
// host starts and drains.
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { Pool } from '@poolmq/client'
import { describe, expect, test } from 'vitest'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { SilentServer } from '../support/silent-server.js'
import { until } from '../support/until.js'
import { redisProgram, TestServer } from './connection-server.js'

/** Milliseconds after which a host that has not said what is expected never will; it needs 2 s to miss Redis. */
const limit = 20_000

interface Answer {
  readonly status: number
  readonly body: { readonly status?: string; readonly because?: string[]; readonly workers?: object }
}

class Host extends ProgramRun {
  #port: string | undefined

  constructor(pool: string, redis: string, ...args: string[]) {
    const modules = [fixture('math-tasks'), fixture('latch-tasks')]
    const all = ['worker', '--pool', pool, '--redis', redis, '--health-port', '0', ...args, ...modules]
    super([poolmqCommand, ...all], { env: { POOLMQ_LOG: 'silent' } })
  }

  async ask(path: string, method = 'GET'): Promise<Answer> {
    if (this.#port === undefined) {
      await this.says('health on port')
      this.#port = /health on port (\d+)/.exec(this.stderr)?.[1]
    }
    const response = await fetch(`http://127.0.0.1:${this.#port}${path}`, { method })
    const text = await response.text()
    return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Answer['body']) }
  }

  /** Resolves with the first answer of this status; `/livez` is 200 all the while. */
  async turns(status: number): Promise<Answer> {
    const ask = async () => {
      expect((await this.ask('/livez')).status).toBe(200)
      return await this.ask('/readyz')
    }
    return await until(`/readyz says ${status}`, ask, (one) => one.status === status, limit)
  }
}

describe.skipIf(redisProgram === '')('while Redis', () => {
  test('is stopped, and goes on', async () => {
    const redis = await TestServer.start()
    await using host = new Host(uniqueName('health'), redis.path, '--processes', '1')
    await host.turns(200)
    redis.freeze()
    const answer = await host.turns(503)
    expect(answer.body).toMatchObject({ status: 'not ready', because: ['Redis does not answer'] })
    redis.thaw()
    await host.turns(200)
  })

  test('is killed, and started again without its data', async () => {
    const redis = await TestServer.start()
    const name = uniqueName('health')
    await using host = new Host(name, redis.path, '--processes', '1')
    await host.turns(200)
    await redis.kill()
    const answer = await host.turns(503)
    expect(answer.body.because?.join()).toMatch(/connection to Redis is lost|does not answer/)
    await redis.start()
    await host.turns(200)
    // Ready means that work is done.
    await using pool = new Pool({ name, connection: redis.path })
    expect(await pool.map(math.square, [1, 2, 3])).toEqual([1, 4, 9])
  })
})

test('a host that is still connecting is alive and not ready', async () => {
  await using silent = await SilentServer.start()
  await using host = new Host(uniqueName('health'), silent.url, '--processes', '1')
  await silent.reached
  expect((await host.ask('/livez')).status).toBe(200)
  const { status, body } = await host.ask('/readyz')
  expect(status).toBe(503)
  expect(body.because).toContain('it is not connected to Redis yet')
})

test('a host that drains is alive and not ready, until it has ended', async () => {
  using scratch = new Scratch()
  const name = uniqueName('health')
  await using host = new Host(name, redisUrl(), '--threads', '2')
  await host.turns(200)
  await using pool = new Pool({ name })
  const [started, go] = [scratch.latch('started'), scratch.latch('go')]
  const running = pool.applyAsync(latches.hold, [{ started: started.path, go: go.path, value: 7 }])
  await started.opened()
  const workers = { processes: 2, ready: 2, busy: 1 }
  const told = ({ body }: Answer) => JSON.stringify(body.workers) === JSON.stringify(workers)
  await until('both are ready, and one is busy', () => host.ask('/livez'), told)
  expect((await host.ask('/readyz')).body).toEqual({ status: 'ready', workers })
  host.kill('SIGTERM')
  const answer = await host.turns(503)
  expect(answer.body.because).toEqual(['it is ending'])
  go.open()
  expect(await running.get(limit)).toBe(7)
  expect(await host.exit(limit)).toBe(0)
})

test('a busy event loop in a task is not a dead host', async () => {
  const name = uniqueName('health')
  await using host = new Host(name, redisUrl(), '--processes', '1')
  await host.turns(200)
  await using pool = new Pool({ name })
  using scratch = new Scratch()
  const started = scratch.latch('started')
  const spinning = pool.applyAsync(latches.spin, [started.path])
  await started.opened()
  // It never lets its event loop turn: every answer from here on is given meanwhile.
  for (let i = 0; i < 10; i++) await host.turns(200)
  expect(spinning.ready()).toBe(false)
})

test('other paths and methods', async () => {
  await using host = new Host(uniqueName('health'), redisUrl(), '--threads', '1')
  expect((await host.ask('/')).status).toBe(404)
  expect((await host.ask('/livez', 'POST')).status).toBe(405)
  expect(await host.ask('/livez', 'HEAD')).toEqual({ status: 200, body: {} })
  expect((await host.ask('/livez?verbose')).status).toBe(200)
})

describe('a port that cannot be: one error', () => {
  test.each([['-1'], ['65536'], ['x']])('%s', async (port) => {
    await using run = new ProgramRun([poolmqCommand, 'worker', '--pool', 'p', `--health-port=${port}`, 'm.js'], {
      env: { REDIS_URL: redisUrl() },
    })
    expect(await run.exit()).toBe(2)
    expect(run.complaints[0]).toContain('--health-port')
  })

  test('one that another program has', async () => {
    const taken = createServer().listen(0)
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    const args = ['worker', '--pool', uniqueName('health'), '--health-port', String(port), fixture('math-tasks')]
    await using run = new ProgramRun([poolmqCommand, ...args], { env: { REDIS_URL: redisUrl() } })
    expect(await run.exit()).toBe(1)
    expect(run.stderr).toBe(`poolmq: the health port ${port} is not to be had: another program listens there\n`)
    taken.close()
  })
})

describe('whoever reaches the port', () => {
  test('may hold connections, send half a request, or never read: few are kept, and probes are answered', async () => {
    await using host = new Host(uniqueName('health'), redisUrl(), '--threads', '1')
    await host.turns(200)
    const port = Number(/health on port (\d+)/.exec(host.stderr)?.[1])
    const firstWords = [
      '',
      'GET /livez HT',
      'POST /livez HTTP/1.1\r\nContent-Length: 99999999\r\n\r\nx',
      '\0\0\0\0',
      'GET /livez HTTP/1.1\r\n\r\n',
    ]
    const sockets = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const socket = connect(port, '127.0.0.1')
        socket.on('error', () => undefined) // it is dropped, which is what is looked at
        await once(socket, 'connect')
        socket.write(firstWords[i % firstWords.length] ?? '')
        return socket
      }),
    )
    const held = () => readdirSync(`/proc/${host.pid}/fd`).length
    await until('few are kept', held, (count) => count < 100)
    for (let i = 0; i < 20; i++) expect((await host.ask('/livez')).status).toBe(200)
    // Those that say nothing are closed as well, without a newer one.
    await Promise.all(sockets.map((socket) => socket.closed || once(socket.resume(), 'close')))
    expect((await host.turns(200)).body.workers).toEqual({ processes: 1, ready: 1, busy: 0 })
  })

  test('with --health-host: at this address only', async () => {
    await using host = new Host(uniqueName('health'), redisUrl(), '--threads', '1', '--health-host', '127.0.0.2')
    await host.says('health on port')
    const port = Number(/health on port (\d+)/.exec(host.stderr)?.[1])
    expect((await fetch(`http://127.0.0.2:${port}/livez`)).status).toBe(200)
    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow()
  })

  test.each([
    [
      'an address that is not this host’s',
      ['--health-port', '0', '--health-host', '192.0.2.1'],
      /192\.0\.2\.1 is not to be had/,
      1,
    ],
    ['an address and no port', ['--health-host', '127.0.0.1'], /--health-host without --health-port/, 2],
  ])('%s: one error', async (_what, args, says, code) => {
    const all = ['worker', '--pool', uniqueName('health'), ...args, fixture('math-tasks')]
    await using run = new ProgramRun([poolmqCommand, ...all], { env: { REDIS_URL: redisUrl() } })
    expect(await run.exit()).toBe(code)
    expect(run.stderr).toMatch(says)
  })
})
