// Looking into a running pool, and steering it: from a program (Monitor, pool.stats) and from the command.
import { spawnSync } from 'node:child_process'
import { CancelledError, Monitor, Pool } from '@poolmq/client'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { until } from '../support/until.js'

const modules = [fixture('math-tasks'), fixture('latch-tasks')]
const poolmq = (...args: string[]) => new ProgramRun([poolmqCommand, ...args], { env: { REDIS_URL: redisUrl() } })
const host = (name: string) => poolmq('worker', '--pool', name, '--processes', '1', '--lease', '3000', ...modules)

/** What the command prints, and how it ends. */
async function run(...args: string[]): Promise<{ code: number | string; stdout: string; stderr: string }> {
  await using command = poolmq(...args)
  const code = await command.exit()
  return { code, stdout: command.stdout, stderr: command.stderr }
}

interface Status {
  waiting: number
  running: number
  oldestWaiting: number | null
  hosts: { pid: number; id: string; host: string; processes: number; tasks: string[]; version: string }[]
  calls: { id: string; task: string; method: string; done: number; total: number; pid: number }[]
}

describe('two hosts and a running map', () => {
  const name = uniqueName('monitor')
  const scratch = new Scratch()
  const go = scratch.latch('go')
  const started = [0, 1].map((i) => scratch.latch(`started-${i}`))
  let hosts: ProgramRun[]
  let pool: Pool
  let map: ReturnType<Pool['mapAsync']>

  beforeAll(async () => {
    hosts = [host(name), host(name)]
    await Promise.all(hosts.map((one) => one.says('serving')))
    pool = new Pool({ name, connection: redisUrl() })
    // Two run, on both hosts; five wait.
    const items = [0, 1, 2, 3, 4, 5, 6].map((value) => ({
      started: (started[value] ?? scratch.latch('later')).path,
      go: go.path,
      value,
    }))
    map = pool.mapAsync(latches.hold, items, 1)
    await Promise.all(started.map((latch) => latch.opened()))
  })

  afterAll(async () => {
    await pool?.terminate()
    for (const one of hosts ?? []) await one[Symbol.asyncDispose]()
    scratch[Symbol.dispose]()
  })

  test('status as JSON: hosts with their pids, the call and how far it is, what waits', async () => {
    const { code, stdout, stderr } = await run('status', '--pool', name, '-o', 'json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const status = JSON.parse(stdout) as Status
    expect(status.hosts.map((one) => one.pid).sort()).toEqual(hosts.map((one) => one.pid).sort())
    expect(status.hosts[0]).toMatchObject({ processes: 1, version: expect.stringMatching(/^\d+\.\d+\.\d+/) })
    expect(status.hosts[0]?.tasks).toContain('latches.hold')
    expect(status).toMatchObject({ waiting: 5, running: 2 })
    expect(status.oldestWaiting).toBeGreaterThan(0)
    const expected = { task: 'latches.hold', method: 'mapAsync', done: 0, total: 7, pid: process.pid, failures: {} }
    expect(status.calls).toEqual([expect.objectContaining(expected)])
  })

  test('the same from a program, and for people', async () => {
    await using monitor = new Monitor({ name, connection: redisUrl() })
    const [stats, ofPool] = await Promise.all([monitor.stats(), pool.stats()])
    expect({ ...ofPool, oldestWaiting: 0 }).toEqual({ ...stats, oldestWaiting: 0 })
    expect(stats).toMatchObject({ hosts: 2, processes: 2, clients: 1, paused: false })
    expect(await pool.hosts()).toEqual(await monitor.hosts())
    expect((await pool.calls()).map((call) => call.id)).toEqual((await monitor.calls()).map((call) => call.id))
    const { code, stdout } = await run('status', '--pool', name)
    expect(code).toBe(0)
    for (const text of ['latches.hold', '0/7', String(hosts[0]?.pid), '5 wait']) expect(stdout).toContain(text)
    const lines = (await run('hosts', '--pool', name, '-o', 'jsonl')).stdout.trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { pid: number }).pid).sort()).toEqual(
      hosts.map((one) => one.pid).sort(),
    )
  })

  test('what other pools run is not seen', async () => {
    const other = await run('status', '--pool', uniqueName('monitor'), '-o', 'json')
    expect(other.code).toBe(3)
    expect(JSON.parse(other.stdout)).toMatchObject({ waiting: 0, hosts: [], calls: [] })
  })

  test('a host that is killed is gone when its lease is over', async () => {
    const [lost, left] = hosts as [ProgramRun, ProgramRun]
    lost.kill('SIGKILL')
    await using monitor = new Monitor({ name, connection: redisUrl() })
    const pids = async () => (await monitor.hosts()).map((one) => one.pid)
    await until('one host is left', pids, (found) => found.length === 1, 30_000)
    expect(await pids()).toEqual([left.pid])
  })

  test('a producer whose event loop is blocked is told of, and cancels what it was asked to when it can', async () => {
    const [call] = await pool.calls()
    const other = pool.applyAsync(math.square, [1], undefined, { priority: 9 })
    const id = (await pool.calls()).map((one) => one.id).find((one) => one !== call?.id) ?? ''
    const blocked = (...args: string[]) =>
      spawnSync(process.execPath, [poolmqCommand, ...args, '--pool', name, '--redis', redisUrl()], { encoding: 'utf8' })
    const calls = blocked('calls', '-o', 'json')
    expect(calls).toMatchObject({ status: 0, stdout: '[]\n' })
    expect(calls.stderr).toBe(`poolmq: 1 producer does not answer (${call?.client}): its calls are not shown\n`)
    expect(blocked('status').stdout).toContain('1 producer does not answer')
    const cancel = blocked('cancel', id)
    expect(cancel).toMatchObject({ status: 1, stdout: '' })
    expect(cancel.stderr).toContain(`the producer of ${id} has not answered`)
    await expect(other.get()).rejects.toThrow(CancelledError)
  })

  test('cancel: the handle rejects, and nothing of the call is left', async () => {
    const [call] = await pool.calls()
    const cancelled = expect(map.get()).rejects.toThrow(CancelledError)
    const { code, stdout } = await run('cancel', call?.id ?? '', '--pool', name)
    expect({ code, stdout }).toEqual({ code: 0, stdout: `call ${call?.id} is cancelled\n` })
    await cancelled
    expect(await pool.calls()).toEqual([])
    await until(
      'nothing waits or runs',
      () => pool.stats(),
      ({ waiting, running }) => waiting + running === 0,
    )
    const again = await run('cancel', call?.id ?? '', '--pool', name)
    expect(again.code).toBe(3)
    expect(again.stderr).toContain('no call')
  })

  test('pause and resume', async () => {
    expect((await run('pause', '--pool', name)).code).toBe(0)
    expect(await pool.stats()).toMatchObject({ paused: true })
    const square = pool.applyAsync(math.square, [7])
    await until(
      'it waits',
      () => pool.stats(),
      ({ waiting }) => waiting === 1,
    )
    await expect(square.get(300)).rejects.toThrow(/300/)
    expect((await run('resume', '--pool', name)).code).toBe(0)
    expect(await square).toBe(49)
  })

  test('drain: a host ends by itself, after what it runs; by its name or its id', async () => {
    const [one] = await pool.hosts()
    expect((await run('drain', 'no-such-host', '--pool', name)).code).toBe(3)
    const { code, stdout } = await run('drain', one?.id ?? '', '--pool', name, '--wait', '30000')
    expect({ code, stdout }).toEqual({ code: 0, stdout: `drained: ${one?.host}:${one?.pid}\n` })
    expect(await hosts[1]?.exit()).toBe(0)
  })
})

describe('a private pool', () => {
  test('tells of itself; its own supervisor cannot be drained away', async () => {
    await using pool = new Pool(1)
    expect(await pool.map(math.square, [1, 2, 3])).toEqual([1, 4, 9])
    expect(await pool.stats()).toMatchObject({ waiting: 0, running: 0, oldestWaiting: null, processes: 1, clients: 1 })
    expect(await pool.hosts()).toEqual([expect.objectContaining({ local: true, processes: 1 })])
    const failing = pool.mapAsync(math.failOn, [{ value: 1, bad: [1] }], 1)
    await expect(failing.get()).rejects.toThrow()
    expect(await pool.calls()).toEqual([])
  })
})

describe('what is in Redis and is not ours', () => {
  test('breaks nobody who looks', async () => {
    const name = uniqueName('monitor')
    using redis = new (class extends Redis {
      [Symbol.dispose]() {
        this.disconnect()
      }
    })(redisUrl())
    const prefix = `poolmq:{${name}}`
    await redis.hset(`${prefix}:hosts`, { a: 'no JSON', b: '{"v":1}', c: '{"v":1,"host":1}' })
    await redis.zadd(`${prefix}:clients`, Date.now() + 10_000, 'nobody')
    await redis.lpush(`${prefix}:chunks:wait`, 'no-such-chunk')
    await using monitor = new Monitor({ name, connection: redisUrl() })
    expect(await monitor.hosts()).toEqual([])
    expect(await monitor.calls()).toEqual([])
    expect(await monitor.stats()).toMatchObject({ waiting: 1, oldestWaiting: null, hosts: 0 })
    expect(await monitor.cancel('nobody.1')).toBe(false)
    await expect(monitor.cancel('no call')).rejects.toThrow(/CLIENT\.NUMBER/)
    await redis.del(`${prefix}:hosts`, `${prefix}:clients`, `${prefix}:chunks:wait`)
  })

  test('no Redis: exit code 1, one line', async () => {
    const { code, stdout, stderr } = await run('status', '--pool', 'p', '--redis', 'redis://127.0.0.1:1', '-o', 'json')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^poolmq: .*nothing listens there.*\n$/)
  })
})
