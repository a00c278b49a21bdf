/** The faults of a test pool are real, what recovers from them is the pool, and nothing is left of it. */
import { readdirSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { type PoolLogger, PoolTerminatedError, type Progress } from '@poolmq/client'
import { type TestPool, type TestPoolOptions, testPool } from '@poolmq/client/testing'
import { Redis } from 'ioredis'
import { expect, inject, onTestFinished, test } from 'vitest'
import { math } from '../fixtures/dist/math-tasks.js'
import { Scratch } from '../support/latch.js'
import { ProgramRun } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { until } from '../support/until.js'

const items = [...Array(12).keys()]
const squares = items.map((x) => x * x)

/** On the tests' Redis: the private one has a test of its own. */
async function start(options: TestPoolOptions = {}): Promise<TestPool> {
  const pool = await testPool({ connection: redisUrl(), ...options })
  onTestFinished(() => pool.terminate())
  return pool
}

const isAlive = (pid: number) => readdirSync('/proc').includes(String(pid))

test('killAtItem kills the process that starts the item, and nothing of it has run', async () => {
  using scratch = new Scratch()
  const log = scratch.log('starts')
  const pool = await start()
  const killed = pool.faults.killAtItem(7)
  await pool.starmap(
    math.note,
    items.map((x) => [log.path, String(x)] as const),
    { chunkSize: 4 },
  )
  const pid = await killed
  await until(
    'the process is gone',
    () => isAlive(pid),
    (alive) => !alive,
  )
  const starts = (item: number) =>
    log.lines.filter((line) => line.endsWith(` ${item}`)).map((line) => Number.parseInt(line, 10))
  // The rest of its chunk ran before it, in the process that died, and once more after it.
  expect([4, 5, 6, 7, 8].map((item) => starts(item).length)).toEqual([2, 2, 2, 1, 1])
  expect(starts(6)[0]).toBe(pid)
  expect(starts(7)[0]).not.toBe(pid)
})

test('an item that is killed each time is given up, and a task can be told from others', async () => {
  const pool = await start({ processes: 1 })
  const killed = pool.faults.killAtItem(1, { task: math.square, times: 3 })
  expect(await pool.map(math.identity, [1, 2, 3], 1)).toEqual([1, 2, 3])
  const results = pool.imap(math.square, [1, 2, 3], 1)
  expect((await results.next()).value).toBe(1)
  await expect(results.next()).rejects.toMatchObject({
    name: 'WorkerLostError',
    starts: 3,
    index: 1,
    signal: 'SIGKILL',
  })
  await expect(killed).resolves.toBeGreaterThan(0)
  expect((await results.next()).value).toBe(9)
  expect(await pool.apply(math.attempt)).toBe(1)
})

test('deliverTwice: the pool reads the outcome again, and counts it once', async () => {
  const pool = await start()
  const progress: number[] = []
  const first = pool.faults.deliverTwice()
  const second = pool.faults.deliverTwice()
  const onProgress = ({ done }: Progress) => progress.push(done)
  expect(await pool.map(math.square, items, { chunkSize: 1, onProgress })).toEqual(squares)
  expect(progress).toEqual(items.map((x) => x + 1))
  const chunks = await Promise.all([first, second])
  expect(chunks).toEqual([expect.stringMatching(/^[\w-]+\.0\.\d+$/), expect.stringMatching(/^[\w-]+\.0\.\d+$/)])
  expect(new Set(chunks).size).toBe(2)
})

test('cutRedis: the connections are lost, and come back; no call fails for it', async () => {
  const said: string[] = []
  const say = (_: object, message: string) => void said.push(message)
  const logger: PoolLogger = { debug: () => undefined, info: say, warn: say, error: say }
  const pool = await start({ logger })
  expect(await pool.apply(math.square, [3])).toBe(9)
  const cut = pool.faults.cutRedis(400)
  const meanwhile = pool.map(math.square, items, 1)
  await cut
  expect(await meanwhile).toEqual(squares)
  expect(said).toEqual(expect.arrayContaining([expect.stringMatching(/is lost/), 'Redis is back']))
})

test('delayRedis: everything takes longer, until it is over', async () => {
  const pool = await start({ processes: 1 })
  await pool.apply(math.square, [1])
  await pool.faults.delayRedis(200)
  const began = performance.now()
  expect(await pool.apply(math.square, [3])).toBe(9)
  // To Redis, to the worker process, from there to Redis, from there to here.
  expect(performance.now() - began).toBeGreaterThan(800 - 20)
  await pool.faults.delayRedis(50, 20)
  expect(await pool.map(math.square, items)).toEqual(squares)
})

test('nothing is left in a Redis that was given to it, and what has not happened by then does not happen', async () => {
  const pool = await start({ processes: 1, initializer: math.none })
  await pool.map(math.square, items)
  const [killed, twice] = [pool.faults.killAtItem(50), pool.faults.deliverTwice()]
  const [host] = await pool.hosts()
  const client = new Redis(redisUrl())
  onTestFinished(() => client.disconnect())
  const hosts = await client.keys('poolmq:{private-*}:hosts')
  const served = await Promise.all(hosts.map((key) => client.hexists(key, String(host?.id))))
  const own = hosts[served.indexOf(1)]?.replace(/hosts$/, '')
  expect(own).toBeDefined()
  pool.close()
  await pool.join()
  expect(await client.keys(`${own}*`)).toEqual([])
  expect(String(pool)).toBe('<TestPool state=CLOSE pool_size=1>')
  await expect(killed).rejects.toThrow(PoolTerminatedError)
  await expect(twice).rejects.toThrow(PoolTerminatedError)
})

test('wrong options are refused, and leave nothing open', async () => {
  await expect(testPool({ expectedWorkers: 2 } as object)).rejects.toThrow(/testPool has no option expectedWorkers/)
  await expect(testPool({ connection: 'rediss://host' })).rejects.toThrow(/without TLS/)
  await expect(testPool({ connection: redisUrl(), processes: 0 })).rejects.toThrow(RangeError)
  const { faults } = await start({ processes: 1 })
  expect(() => faults.killAtItem(-1)).toThrow(RangeError)
  expect(() => faults.killAtItem(1, { time: 2 } as object)).toThrow(TypeError)
  await expect(faults.cutRedis(Number.POSITIVE_INFINITY)).rejects.toThrow(RangeError)
  await expect(faults.delayRedis(-1)).rejects.toThrow(RangeError)
})

const program = (end: string) => `
  import { testPool } from '@poolmq/client/testing'
  import { math } from '${new URL('../fixtures/dist/math-tasks.js', import.meta.url).href}'
  const pool = await testPool(1)
  console.log(await pool.apply(math.square, [3]), pool.constructor.name)
  ${end}
`
const ends = {
  'it is terminated': 'await pool.terminate()',
  'the process is killed': `process.kill(process.pid, 'SIGKILL')`,
}

test.skipIf(inject('redisProgram') === '').each(Object.entries(ends))(
  'the private Redis and all files are gone when %s',
  async (_, end) => {
    using scratch = new Scratch()
    await using run = new ProgramRun(['--input-type=module', '-e', program(end)], {
      env: { TMPDIR: scratch.directory, PATH: process.env.PATH },
    })
    expect(await run.exit(), run.stderr).toBe(end.includes('terminate') ? 0 : 'SIGKILL')
    expect(run.stdout).toBe('9 TestPool\n')
    await until(
      'the directory is empty',
      () => scratch.names(),
      (names) => names.length === 0,
    )
    await until(
      'all processes are gone',
      () => run.processes().size,
      (size) => size === 0,
    )
  },
)
