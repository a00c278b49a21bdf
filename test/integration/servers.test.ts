// One suite on Redis as people run it: the same calls, the same results, nothing left behind.
import { CancelledError, Pool, PoolTerminatedError } from '@poolmq/client'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { sendSignal } from '../chaos/worker-host.js'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { RedisServers } from '../support/redis-servers.js'
import { until } from '../support/until.js'

const program = inject('redisProgram')
const numbers = Array.from({ length: 200 }, (_, i) => i)
const squares = numbers.map((x) => x * x)

const table: readonly (readonly [string, (program: string) => Promise<RedisServers>])[] = [
  ['a single server', RedisServers.single],
  ['a user with a password who may only use poolmq:*', RedisServers.protected],
  ['TLS with a certificate of its own', RedisServers.tls],
  ['a master with its sentinels', RedisServers.sentinel],
  ['a cluster of three masters', RedisServers.cluster],
]

function worker(servers: RedisServers, pool: string, ...options: string[]): ProgramRun {
  const modules = [fixture('math-tasks'), fixture('latch-tasks')]
  const args = ['worker', '--pool', pool, '--processes', '2', '--redis', servers.address, ...options, ...modules]
  return new ProgramRun([poolmqCommand, ...args], { env: servers.env })
}

describe.skipIf(program === '').each(table)('%s', (_what, start) => {
  let servers: RedisServers
  beforeAll(async () => {
    servers = await start(program)
  })
  afterAll(async () => {
    // Nothing of all that was done here is left.
    await until(
      'no key is left',
      () => servers.keys(),
      (keys) => keys.length === 0,
      40_000,
    )
    await servers[Symbol.asyncDispose]()
  })

  const open = (processes = 2) => new Pool({ connection: servers.connection, processes })

  test('map, starmap, imap, applyAsync', async () => {
    await using pool = open()
    expect(await pool.map(math.square, numbers, 7)).toEqual(squares)
    expect(
      await pool.starmap(math.hypot, [
        [3, 4],
        [5, 12],
      ]),
    ).toEqual([5, 13])
    const ordered: number[] = []
    for await (const value of pool.imap(math.square, numbers, { chunkSize: 3 })) ordered.push(value)
    expect(ordered).toEqual(squares)
    const unordered: number[] = []
    for await (const value of pool.imapUnordered(math.square, numbers, { chunkSize: 3 })) unordered.push(value)
    expect(unordered.sort((a, b) => a - b)).toEqual(squares)
    expect(await pool.applyAsync(math.hypot, [3, 4]).get(30_000)).toBe(5)
    await expect(pool.map(math.failOn, [{ value: 1, bad: [1] }])).rejects.toThrow('bad 1')
  })

  test('the workers of a host that names it by its address', async () => {
    const name = uniqueName('servers')
    await using host = worker(servers, name)
    await host.says('serving')
    await using pool = new Pool({ name, connection: servers.connection })
    expect(await pool.map(math.square, numbers, 7)).toEqual(squares)
    expect([...host.processes().keys()]).toContain(await pool.apply(math.pid))
    pool.close()
    await pool.join()
    host.kill('SIGTERM')
    expect(await host.exit()).toBe(0)
    // Nothing that it does by the clock was refused.
    expect(host.stderr).toContain('serving')
    expect(host.stderr).not.toMatch(/failed|NOPERM/)
  })

  test('a durable call: begun, left, found, cancelled, run again and forgotten', async () => {
    const [name, key] = [uniqueName('servers'), uniqueName('durable')]
    {
      await using leaving = new Pool({ name, connection: servers.connection })
      leaving.mapAsync(math.square, numbers, { durable: key, chunkSize: 7, priority: 3 })
      leaving.close()
      await leaving.join()
    }
    await using pool = new Pool({ name, connection: servers.connection })
    expect((await pool.calls()).map((call) => call.durable)).toEqual([key])
    expect(await pool.attach(key).cancel()).toBe(true)
    await using host = worker(servers, name)
    await host.says('serving')
    const again = pool.mapAsync(math.square, numbers, { durable: key, ifDone: 'rerun-failed' })
    expect(await again).toEqual(squares)
    expect(await pool.attach(key)).toEqual(squares)
    expect(await pool.attach(key).forget()).toBe(true)
    pool.close()
    await pool.join()
    host.kill('SIGTERM')
    expect(await host.exit()).toBe(0)
    expect(host.stderr).not.toMatch(/failed|NOPERM/)
  })

  test('a host that is lost: another runs what it had in hand', async () => {
    const name = uniqueName('servers')
    await using lost = worker(servers, name, '--lease', '3000')
    await lost.says('serving')
    await using pool = new Pool({ name, connection: servers.connection })
    using scratch = new Scratch()
    const [started, go] = [scratch.latch('started'), scratch.latch('go')]
    const held = pool.applyAsync(latches.hold, [{ started: started.path, go: go.path, value: 7 }])
    await started.opened()
    await using other = worker(servers, name, '--lease', '3000')
    await other.says('serving')
    for (const pid of lost.processes().keys()) sendSignal(pid, 'SIGKILL')
    go.open()
    expect(await held.get(30_000)).toBe(7)
    pool.close()
    await pool.join()
    other.kill('SIGTERM')
    expect(await other.exit()).toBe(0)
  })

  test('an initializer runs once in each worker process', async () => {
    using scratch = new Scratch()
    const log = scratch.log('pids')
    const initializer = latches.notePid
    await using pool = new Pool({ connection: servers.connection, processes: 2, initializer, initArgs: [log.path] })
    await pool.map(math.square, numbers, 1)
    // One may have run all there was before the other was ready.
    expect(log.lines.length).toBeGreaterThan(0)
    expect(new Set(log.lines).size).toBe(log.lines.length)
  })

  test('a worker process that dies is replaced, and its chunk runs again', async () => {
    await using pool = open(1)
    using scratch = new Scratch()
    const [started, go] = [scratch.latch('started'), scratch.latch('go')]
    const pid = await pool.apply(math.pid)
    const held = pool.applyAsync(latches.hold, [{ started: started.path, go: go.path, value: 7 }])
    await started.opened()
    sendSignal(pid, 'SIGKILL')
    go.open()
    expect(await held.get(30_000)).toBe(7)
    expect(await pool.apply(math.pid)).not.toBe(pid)
  })

  test('what is cancelled ends, and the pool goes on', async () => {
    await using pool = open(1)
    using scratch = new Scratch()
    const started = scratch.latch('started')
    const canceller = new AbortController()
    const spinning = pool.mapAsync(latches.spin, [started.path], { signal: canceller.signal })
    await started.opened()
    canceller.abort()
    await expect(spinning.get(30_000)).rejects.toThrow(CancelledError)
    expect(await pool.apply(math.square, [3])).toBe(9)
  })

  test('terminate ends what runs and what waits', async () => {
    const pool = open(1)
    using scratch = new Scratch()
    const started = scratch.latch('started')
    const spinning = pool.applyAsync(latches.spin, [started.path])
    const waiting = pool.mapAsync(math.square, numbers, 1)
    await started.opened()
    await pool.terminate()
    await expect(spinning.get(1000)).rejects.toThrow(PoolTerminatedError)
    await expect(waiting.get(1000)).rejects.toThrow(PoolTerminatedError)
  })
})

describe.skipIf(program === '')('sentinels', () => {
  test('replace the master in the middle of a map: nothing is lost, nothing comes twice', async () => {
    await using servers = await RedisServers.sentinel(program, 1500)
    const name = uniqueName('failover')
    await using host = worker(servers, name)
    await host.says('serving')
    await using pool = new Pool({ name, connection: servers.connection })
    const items = Array.from({ length: 400 }, () => 20)
    let seen = 0
    const running = pool.mapAsync(math.sleep, items, { chunkSize: 2, onProgress: () => seen++ })
    await until(
      'it has begun',
      () => seen,
      (count) => count > 10,
    )
    await servers.loseMaster()
    expect(await running.get(60_000)).toEqual(items)
    expect(await pool.map(math.square, numbers, 7)).toEqual(squares)
  }, 120_000)
})
