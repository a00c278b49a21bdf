// Several tasks at a time in one worker process: what one of them does must not harm those beside it.
import { CancelledError, InitializerError, Pool, TaskTimeoutError, ThreadPool, WorkerLostError } from '@poolmq/client'
import { PoolKeys, RedisLink } from '@poolmq/shared'
import { describe, expect, inject, test } from 'vitest'
import { WorkerHost } from '../chaos/worker-host.js'
import { lanes } from '../fixtures/dist/lane-tasks.js'
import { type Log, Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

const reaches = (log: Log, count: number) =>
  until(
    `${count} notes`,
    () => log.lines.length,
    (lines) => lines >= count,
  )

/** All outcomes of an iterator, failed ones too. */
async function outcomes<T>(results: AsyncIterator<T>): Promise<{ values: T[]; errors: unknown[] }> {
  const [values, errors]: [T[], unknown[]] = [[], []]
  for (;;) {
    try {
      const { done, value } = await results.next()
      if (done) return { values, errors }
      values.push(value)
    } catch (error) {
      errors.push(error)
    }
  }
}

const times = <T>(list: readonly T[]): number[] => [
  ...list.reduce((counts, one) => counts.set(one, (counts.get(one) ?? 0) + 1), new Map<T, number>()).values(),
]

/** Most that were under way at once, by the notes of `track`. */
function mostAtOnce(log: Log): number {
  let [now, most] = [0, 0]
  for (const line of log.lines) {
    now += line.startsWith('+') ? 1 : -1
    most = Math.max(most, now)
  }
  return most
}

// Most of the time is spent waiting: for latches, limits, starts.
describe.concurrent('a task that is to end and does not', () => {
  test('is cancelled: its call ends at once, its neighbours finish, or run elsewhere when they have had their time', async () => {
    using scratch = new Scratch()
    const [log, deaf, second] = [scratch.log('neighbours'), scratch.log('deaf'), scratch.log('second')]
    const go = scratch.latch('go')
    await using pool = new Pool({ processes: 1, concurrency: 5 })
    const neighbours = pool.mapAsync(lanes.hold, new Array(2).fill({ log: log.path, go: go.path }), 1)
    const again = pool.applyAsync(lanes.endsNextTime, [second.path])
    const controller = new AbortController()
    const { signal } = controller
    const victim = pool.applyAsync(lanes.deaf, [deaf.path], undefined, { signal })
    await Promise.all([reaches(log, 2), reaches(deaf, 1), reaches(second, 1)])
    controller.abort()
    await expect(victim).rejects.toBeInstanceOf(CancelledError)
    // Somebody else serves, before the neighbours have ended.
    const successor = await until(
      'a successor',
      () => pool.apply(lanes.pid),
      (pid) => String(pid) !== deaf.lines[0],
    )
    go.open()
    expect((await neighbours).map(String)).toEqual([deaf.lines[0], deaf.lines[0]])
    expect(log.lines).toHaveLength(2)
    expect(await again).toBe(1)
    expect(second.lines).toEqual([deaf.lines[0], String(successor)])
    expect(deaf.lines).toHaveLength(1)
  })

  test('is over its time limit: it fails at once, its neighbours finish where they are', async () => {
    using scratch = new Scratch()
    const [log, deaf, go] = [scratch.log('neighbours'), scratch.log('deaf'), scratch.latch('go')]
    await using pool = new Pool({ processes: 1, concurrency: 4 })
    const neighbours = pool.mapAsync(lanes.hold, new Array(2).fill({ log: log.path, go: go.path }), 1)
    await reaches(log, 2)
    const victim = pool.applyAsync(lanes.deaf, [deaf.path], undefined, { timeout: 300 })
    await expect(victim).rejects.toBeInstanceOf(TaskTimeoutError)
    expect(neighbours.ready()).toBe(false)
    go.open()
    expect((await neighbours).map(String)).toEqual([deaf.lines[0], deaf.lines[0]])
    expect(log.lines).toHaveLength(2)
    expect(deaf.lines).toHaveLength(1)
    const gone = () => pool.apply(lanes.pid)
    await until('its process is replaced', gone, (pid) => String(pid) !== deaf.lines[0])
  })
})

describe.concurrent('a task that keeps the event loop', () => {
  test('for ever: it alone fails, at its time limit, however many had the same', async () => {
    await using pool = new Pool({ processes: 1, concurrency: 6 })
    const items = Array.from({ length: 12 }, (_, value) => ({ spins: value === 2, value }))
    const { values, errors } = await outcomes(
      pool.imapUnordered(lanes.spinOr, items, { chunkSize: 1, timeout: 1000, bufferSize: 100 }),
    )
    expect(values.sort((a, b) => a - b)).toEqual([0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect(errors).toHaveLength(1)
    expect(errors[0]).toBeInstanceOf(TaskTimeoutError)
  })

  test('for long: it is told which tasks are in flight, once, and all of them end', async () => {
    const name = uniqueName('blocked')
    const connection = inject('redisUrl')
    const given = { pool: name, redis: connection, tasks: 'lane-tasks', processes: 1, concurrency: 3 }
    await using host = await WorkerHost.start(given)
    await using pool = new Pool({ name, connection })
    const items = [9000, 0, 0, 0].map((ms, value) => ({ ms, value }))
    expect(await pool.map(lanes.block, items, 1)).toEqual([0, 1, 2, 3])
    const said = host.complaints.match(/stands still with \d chunks in hand[^"]*/g)
    expect(said).toHaveLength(1)
    expect(said?.[0]).toContain('lanes.block')
  })

  test('for less than a neighbour’s limit too much: the neighbour’s time does not pass meanwhile', async () => {
    await using pool = new Pool({ processes: 1, concurrency: 3 })
    await pool.apply(lanes.pid)
    const blocked = pool.applyAsync(lanes.block, [{ ms: 1500, value: 1 }])
    const limited = pool.mapAsync(
      lanes.spinOr,
      [2, 3].map((value) => ({ spins: false, value })),
      {
        chunkSize: 1,
        timeout: 1200,
      },
    )
    expect(await blocked).toBe(1)
    expect(await limited).toEqual([2, 3])
  })
})

describe.concurrent('one poisonous item among a thousand', () => {
  test.each([
    ['50 lanes of a process', () => new Pool({ processes: 1, concurrency: 50 })],
    ['50 lanes of two threads', () => new ThreadPool({ processes: 50, threads: 2 })],
  ])('on %s: 999 results, one error, five deaths at most', async (_where, make) => {
    using scratch = new Scratch()
    const deaths = scratch.log('deaths')
    await using pool = make()
    const items = Array.from({ length: 1000 }, (_, value) => ({ log: deaths.path, bad: 333, value }))
    const found = await outcomes(pool.imapUnordered(lanes.poison, items, { chunkSize: 1, bufferSize: 1000 }))
    expect(new Set(found.values).size).toBe(999)
    expect(found.errors).toHaveLength(1)
    expect(found.errors[0]).toBeInstanceOf(WorkerLostError)
    expect((found.errors[0] as WorkerLostError).starts).toBe(deaths.lines.length)
    expect(deaths.lines.length).toBeLessThanOrEqual(5)
  })
})

test.concurrent('a suspect that runs for long runs alone, and keeps nobody waiting', async () => {
  using scratch = new Scratch()
  const [log, go] = [scratch.log('log'), scratch.latch('go')]
  const name = uniqueName('suspect')
  const connection = inject('redisUrl')
  await using pool = new Pool({ name, connection })
  const suspect = pool.applyAsync(lanes.hold, [{ log: log.path, go: go.path }])
  const link = await RedisLink.open(connection)
  const keys = new PoolKeys(name)
  const waiting = () => link.client.lrange(keys.chunk('wait'), 0, -1)
  const [jobId] = await until('it is in the queue', waiting, (ids) => ids.length === 1)
  await link.client.hset(keys.chunk(jobId as string), 'processedOn', '1', 'shared', '2')
  await link.close()
  const others = pool.mapAsync(lanes.pid, new Array(20).fill(0), 1)
  await using _host = await WorkerHost.start({
    ...{ pool: name, redis: connection, tasks: 'lane-tasks', processes: 1, concurrency: 4 },
  })
  const pids = await others
  expect(suspect.ready()).toBe(false)
  go.open()
  expect(pids).not.toContain(await suspect)
  expect(log.lines).toHaveLength(1)
})

describe.concurrent('a worker process is replaced', () => {
  test('after so many chunks of all its lanes, exactly; the initializer runs once in each, and no more run at a time', async () => {
    using scratch = new Scratch()
    const [log, started] = [scratch.log('log'), scratch.log('started')]
    await using pool = new Pool({
      ...{ processes: 1, concurrency: 4, maxTasksPerChild: 6 },
      ...{ initializer: lanes.noteThread, initArgs: [started.path] },
    })
    const pids = await pool.map(lanes.track, new Array(24).fill({ log: log.path, ms: 20 }), 1)
    expect(times(pids)).toEqual([6, 6, 6, 6])
    expect(mostAtOnce(log)).toBe(4)
    expect(started.lines.length).toBeLessThanOrEqual(5)
  })

  test('when it is old: what it has in hand ends there, and nothing runs twice', async () => {
    using scratch = new Scratch()
    const log = scratch.log('log')
    await using pool = new Pool({ processes: 1, concurrency: 4, maxAgePerChild: 400 })
    const results = pool.imapUnordered(lanes.track, endless({ log: log.path, ms: 50 }), { chunkSize: 1 })
    const pids = new Set<number>()
    for await (const pid of results) if (pids.add(pid).size === 3) break
    pool.close()
    await pool.join()
    expect(mostAtOnce(log)).toBe(4)
    expect(log.lines.filter((line) => line.startsWith('+'))).toHaveLength(log.lines.length / 2)
  })

  test('because another client’s initializer fails in it: what is in hand ends there', async () => {
    using scratch = new Scratch()
    const [log, go] = [scratch.log('log'), scratch.latch('go')]
    const name = uniqueName('broken')
    const connection = inject('redisUrl')
    const given = { pool: name, redis: connection, tasks: 'lane-tasks', processes: 1, concurrency: 4 }
    await using _host = await WorkerHost.start(given)
    await using pool = new Pool({ name, connection })
    const held = pool.mapAsync(lanes.hold, new Array(2).fill({ log: log.path, go: go.path }), 1)
    await reaches(log, 2)
    await using broken = new Pool({ name, connection, initializer: lanes.fail })
    await expect(broken.apply(lanes.pid)).rejects.toBeInstanceOf(InitializerError)
    expect(held.ready()).toBe(false)
    go.open()
    expect((await held).map(String)).toEqual(log.lines)
    expect(log.lines).toHaveLength(2)
  })
})

describe.concurrent('lanes', () => {
  test('each have a context of their own', async () => {
    await using pool = new Pool({ processes: 1, concurrency: 4 })
    const found = await pool.map(lanes.context, [40, 5, 30, 10, 20, 15, 25, 35], 2)
    expect(found).toEqual(found.map((_, index) => ({ before: index, after: index, isSame: true })))
  })

  test('get their turn beside a chunk of tasks that never wait', async () => {
    await using pool = new Pool({ processes: 1, concurrency: 2 })
    const long = pool.mapAsync(lanes.compute, new Array(100_000).fill(1), 100_000)
    expect(await pool.apply(lanes.pid)).toBeGreaterThan(0)
    expect(await pool.map(lanes.context, [10, 10], 1)).toHaveLength(2)
    expect(long.ready()).toBe(false)
  })

  test('of a ThreadPool are its tasks at a time, on few threads; the initializer runs once in each', async () => {
    using scratch = new Scratch()
    const [log, started] = [scratch.log('log'), scratch.log('started')]
    const initializer = { initializer: lanes.noteThread, initArgs: [started.path] as const }
    await using pool = new ThreadPool({ processes: 9, threads: 2, ...initializer })
    expect(String(pool)).toBe('<ThreadPool state=RUN pool_size=9>')
    const met = await pool.map(lanes.meet, new Array(9).fill({ log: log.path, count: 9 }), 1)
    expect(times(met).sort()).toEqual([4, 5])
    expect(new Set(started.lines).size).toBe(2)
    expect(started.lines).toHaveLength(2)
  })

  test('are what a pool counts: its size and its chunks', async () => {
    const name = uniqueName('size')
    const connection = inject('redisUrl')
    const given = { pool: name, redis: connection, tasks: 'lane-tasks', processes: 2, concurrency: 3 }
    await using host = await WorkerHost.start(given)
    expect(host.complaints).toContain('2 worker processes, 6 tasks at a time')
    await using pool = new Pool({ name, connection })
    const text = () => String(pool)
    await until('its hosts are seen', text, (said) => said === '<Pool state=RUN pool_size=6>')
    let chunks = 0
    const onProgress = () => void chunks++
    await pool.map(lanes.pid, new Array(48).fill(0), { onProgress })
    expect(chunks).toBe(24)
    await using own = new Pool({ name, connection, processes: 2, concurrency: 5 })
    expect(String(own)).toBe('<Pool state=RUN pool_size=10>')
  })
})

function* endless<T>(item: T): Iterable<T> {
  for (;;) yield item
}
