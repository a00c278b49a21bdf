// The figures of a host and of a pool: they equal what has happened, whatever became of the worker processes.
import { readFileSync } from 'node:fs'
import { Pool } from '@poolmq/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { Scratch } from '../support/latch.js'
import { parseMetrics } from '../support/metrics.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { until } from '../support/until.js'

const name = uniqueName('metrics')
const env = { REDIS_URL: redisUrl(), POOLMQ_POOL: name }
const scratch = new Scratch()
let host: ProgramRun
let metrics: ProgramRun
let port: number
let poolPort: number

const scrape = async (from: number) => await (await fetch(`http://127.0.0.1:${from}/metrics`)).text()
const figures = async (from = port) => parseMetrics(await scrape(from))

beforeAll(async () => {
  const modules = [fixture('math-tasks'), fixture('latch-tasks')]
  host = new ProgramRun([poolmqCommand, 'worker', '--processes', '2', '--health-port', '0', ...modules], { env })
  metrics = new ProgramRun([poolmqCommand, 'metrics', '--port', '0'], { env })
  await Promise.all([host.says('serving'), metrics.says('at port')])
  port = Number(/health on port (\d+)/.exec(host.stderr)?.[1])
  poolPort = Number(/at port (\d+)/.exec(metrics.stdout)?.[1])
})

afterAll(async () => {
  for (const run of [host, metrics]) await run?.[Symbol.asyncDispose]()
  scratch[Symbol.dispose]()
})

test('a host counts each item once: also of processes that were recycled or killed since', async () => {
  await using pool = new Pool({ name, connection: redisUrl(), maxTasksPerChild: 7 })
  // 300 items in 100 chunks, over some 14 processes; 40 items of which 4 fail, each with its own outcome.
  await pool.map(
    math.square,
    Array.from({ length: 300 }, (_, i) => i),
    3,
  )
  const items = Array.from({ length: 40 }, (_, value) => ({ value, bad: [3, 13, 23, 33] }))
  for await (const _ of failing(pool.imap(math.failOn, items, { chunkSize: 4 })));
  // Each of these ends a process; it is given up after three.
  await expect(pool.apply(math.exit, [9])).rejects.toThrow(/exited with code 9/)
  const seen = await until(
    'all is counted',
    figures,
    (all) => (all.get('poolmq_chunks_total{task="math.failOn",outcome="ok"}') ?? 0) === 6,
  )
  const expected = {
    'poolmq_items_total{task="math.square",outcome="ok"}': 300,
    'poolmq_items_total{task="math.square",outcome="failed"}': 0,
    'poolmq_chunks_total{task="math.square",outcome="ok"}': 100,
    'poolmq_items_total{task="math.failOn",outcome="ok"}': 36,
    'poolmq_items_total{task="math.failOn",outcome="failed"}': 4,
    'poolmq_chunks_total{task="math.failOn",outcome="ok"}': 6,
    'poolmq_chunks_total{task="math.failOn",outcome="failed"}': 4,
    'poolmq_item_duration_seconds_count{task="math.square"}': 300,
    'poolmq_item_duration_seconds_bucket{task="math.square",le="+Inf"}': 300,
    'poolmq_item_duration_seconds_bucket{task="math.square",le="600"}': 300,
    'poolmq_chunk_wait_seconds_count{task="math.square"}': 100,
    'poolmq_worker_losses_total{outcome="exit code 9"}': 3,
    poolmq_lanes: 2,
  }
  for (const [figure, value] of Object.entries(expected)) expect([figure, seen.get(figure)]).toEqual([figure, value])
  expect(seen.get('poolmq_worker_recycles_total')).toBeGreaterThanOrEqual(12)
  expect(seen.get('poolmq_input_bytes_total{task="math.square"}')).toBeGreaterThan(300)
  expect(seen.get('poolmq_output_bytes_total{task="math.square"}')).toBeGreaterThan(300)
  expect(seen.get('poolmq_resident_memory_bytes')).toBeGreaterThan(50e6)
})

async function* failing<T>(results: AsyncIterator<T>): AsyncGenerator<T | undefined> {
  for (;;) {
    try {
      const { done, value } = await results.next()
      if (done === true) return
      yield value
    } catch {
      yield undefined // one of the four
    }
  }
}

test('labels are task and outcome, and nothing that grows with hosts, processes or calls', async () => {
  const labels = new Set<string>()
  for (const text of [await scrape(port), await scrape(poolPort)]) {
    for (const [, list] of text.matchAll(/^\w+\{([^}]*)\}/gm)) {
      for (const [, label] of (list ?? '').matchAll(/(\w+)="/g)) labels.add(label as string)
    }
  }
  expect([...labels].sort()).toEqual(['le', 'outcome', 'task'])
})

test('a pool tells what waits and runs, and how many processes would work it off', async () => {
  await using pool = new Pool({ name, connection: redisUrl() })
  const [started, go] = [scratch.latch('started'), scratch.latch('go')]
  const items = Array.from({ length: 8 }, (_, value) => ({ started: started.path, go: go.path, value }))
  const map = pool.mapAsync(latches.hold, items, 1)
  await started.opened()
  const seen = await until(
    'two run',
    () => figures(poolPort),
    (all) => all.get('poolmq_pool_running_chunks') === 2,
  )
  expect(seen.get('poolmq_pool_waiting_chunks')).toBe(6)
  expect(seen.get('poolmq_pool_oldest_waiting_seconds')).toBeGreaterThan(0)
  expect(seen.get('poolmq_pool_hosts')).toBe(1)
  expect(seen.get('poolmq_desired_processes')).toBeGreaterThanOrEqual(3)
  expect((await figures()).get('poolmq_lanes_busy')).toBe(2)
  go.open()
  await map
  const idle = await until(
    'nothing runs',
    () => figures(poolPort),
    (all) => all.get('poolmq_pool_running_chunks') === 0,
  )
  expect(idle.get('poolmq_desired_processes')).toBe(0)
})

test('a pool that nobody serves wants a process when something waits, and none when nothing does', async () => {
  const other = uniqueName('metrics')
  const once = async () => {
    await using run = new ProgramRun([poolmqCommand, 'metrics', '--once', '--pool', other], { env })
    expect(await run.exit()).toBe(0)
    return parseMetrics(run.stdout).get('poolmq_desired_processes')
  }
  expect(await once()).toBe(0)
  await using pool = new Pool({ name: other, connection: redisUrl() })
  const waiting = pool.applyAsync(math.square, [3])
  await until(
    'it waits',
    () => pool.stats(),
    (stats) => stats.waiting === 1,
  )
  expect(await once()).toBe(1)
  expect(waiting.ready()).toBe(false)
})

test('what KEDA’s scaler makes of it, by the manifest: from nothing to so many pods, and back', async () => {
  const path = new URL('../../deploy/kubernetes/worker-scaled-object.yaml', import.meta.url)
  const { spec } = parse(readFileSync(path, 'utf8')) as {
    spec: { minReplicaCount: number; maxReplicaCount: number; triggers: { metadata: Record<string, string> }[] }
  }
  const { url = '', valueLocation = '', targetValue, format } = spec.triggers[0]?.metadata ?? {}
  expect(format).toBe('prometheus')
  const other = uniqueName('keda')
  await using run = new ProgramRun([poolmqCommand, 'metrics', '--port', '0', '--pool', other], { env })
  await run.says('at port')
  /** As its metrics-api scaler does: the value at the URL, over the target; nothing at all scales to the minimum. */
  const pods = async () => {
    const address = new URL(url)
    address.host = `127.0.0.1:${/at port (\d+)/.exec(run.stdout)?.[1]}`
    const value = parseMetrics(await (await fetch(address)).text()).get(valueLocation)
    if (value === undefined) throw new Error(`there is no ${valueLocation} at ${address}`)
    return Math.min(spec.maxReplicaCount, Math.max(spec.minReplicaCount, Math.ceil(value / Number(targetValue))))
  }
  expect(await pods()).toBe(0)
  await using pool = new Pool({ name: other, connection: redisUrl() })
  // Nobody knows how long they run: a second each is reckoned with, 600 s of work in a minute.
  const map = pool.mapAsync(
    math.square,
    Array.from({ length: 600 }, (_, i) => i),
    1,
  )
  await until(
    'they wait',
    () => pool.stats(),
    (stats) => stats.waiting === 600,
  )
  expect(await pods()).toBe(5)
  await using worker = new ProgramRun(
    [poolmqCommand, 'worker', '--processes', '2', '--pool', other, fixture('math-tasks')],
    { env },
  )
  await worker.says('serving')
  await map
  expect(await pods()).toBe(0)
})
