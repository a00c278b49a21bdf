// `backup`: a chunk that is held up on one host runs a second time on another. Which copy counts, and what becomes of the
// other one.
import { CancelledError, Pool, ThreadPool } from '@poolmq/client'
import { PoolKeys, RedisLink } from '@poolmq/shared'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copies } from '../fixtures/dist/copy-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { until } from '../support/until.js'

let link: RedisLink
beforeAll(async () => {
  link = await RedisLink.open(redisUrl())
})
afterAll(() => link.close())

/** Items that end at once, and those of these names, which are held. */
const items = (directory: string, names: readonly string[], always = false) => [
  ...[1, 2, 3].map(() => ({ directory })),
  ...names.map((held) => ({ directory, held, always })),
]
const each = { chunkSize: 1, backup: true }

describe('two hosts', () => {
  const name = uniqueName('backups')
  const keys = new PoolKeys(name)
  let hosts: ProgramRun[] = []
  beforeAll(async () => {
    const args = ['worker', '--pool', name, '--processes', '2', '--redis', redisUrl(), fixture('copy-tasks')]
    hosts = [new ProgramRun([poolmqCommand, ...args]), new ProgramRun([poolmqCommand, ...args])]
    await Promise.all(hosts.map((host) => host.says('serving pool')))
  })
  afterAll(async () => {
    for (const host of hosts) await host[Symbol.asyncDispose]()
  })

  /** The host that a task has told as its place. */
  const hostOf = (place: string) => hosts.findIndex((host) => host.processes().has(Number(place.split('.')[0])))
  const chunksLeft = async () =>
    (await link.client.keys(keys.chunk('*'))).filter((key) => /^[0-9a-z]{16}\./.test(key.slice(keys.chunk('').length)))

  test('a chunk that is held on one of them runs on the other; the first copy is stopped, and no key is left', async () => {
    await using pool = new Pool({ name })
    using scratch = new Scratch()
    const result = pool.mapAsync(copies.run, items(scratch.directory, ['it']), each)
    const places = await result
    const [first = ''] = scratch.log('it-first').lines
    expect(hostOf(first)).toBeGreaterThanOrEqual(0)
    expect(hostOf(places[3] as string)).toBe(1 - hostOf(first))
    await until('no chunk is left', chunksLeft, (left) => left.length === 0)
    // One that stands still for half a second when it is told to end is killed.
    if (hostOf(first) >= 0) expect(scratch.log('it-stopped').lines).toEqual([first])
    expect(await pool.map(copies.run, items(scratch.directory, []), each)).toHaveLength(3)
  })

  test('who looks on sees how many there are; the call is cancelled: both are stopped', async () => {
    await using pool = new Pool({ name })
    using scratch = new Scratch()
    const cancelled = new AbortController()
    const call = pool.map(copies.run, items(scratch.directory, ['both'], true), { ...each, signal: cancelled.signal })
    const rejected = expect(call).rejects.toBeInstanceOf(CancelledError)
    await until(
      'both run',
      () => scratch.log('both-runs').lines.length,
      (runs) => runs === 2,
    )
    const [one = '', other = ''] = scratch.log('both-runs').lines
    expect(hostOf(one)).toBe(1 - hostOf(other))
    const found = () => pool.calls()
    await until('it is told', found, ([told]) => told?.backups === 1)
    expect(await found()).toMatchObject([{ pending: 1, done: 3, total: 4 }])
    await using table = new ProgramRun([poolmqCommand, 'calls', '--pool', name, '--redis', redisUrl()])
    expect(await table.exit()).toBe(0)
    expect(table.stdout).toContain('BACKUPS')
    cancelled.abort()
    await rejected
    await until('no chunk is left', chunksLeft, (left) => left.length === 0)
    const alive = [one, other].filter((place) => hostOf(place) >= 0)
    expect(scratch.log('both-stopped').lines).toEqual(expect.arrayContaining(alive))
  })

  test('a large chunk, and imap', async () => {
    await using pool = new Pool({ name })
    using scratch = new Scratch()
    const large = items(scratch.directory, ['large']).map((item) => ({ ...item, more: 'x'.repeat(300_000) }))
    const places: string[] = []
    for await (const place of pool.imap(copies.run, large, each)) places.push(place)
    expect(hostOf(places[3] as string)).toBe(1 - hostOf(scratch.log('large-first').lines[0] ?? ''))
    await until('no chunk is left', chunksLeft, (left) => left.length === 0)
  })

  test('without it nothing runs twice', async () => {
    await using pool = new Pool({ name })
    using scratch = new Scratch()
    const withIt = pool.map(copies.run, items(scratch.directory, ['yes']), each)
    const without = pool.map(copies.run, items(scratch.directory, ['no']), { chunkSize: 1, timeout: 5000 })
    await withIt
    await expect(without).rejects.toMatchObject({ code: 'ERR_POOL_TASK_TIMEOUT' })
    expect(scratch.log('no-runs').lines).toHaveLength(1)
  })
})

test.each([
  ['processes', () => new Pool(2)],
  ['threads', () => new ThreadPool({ processes: 4, threads: 2 })],
])("a pool of its own %s: another one than the chunk's runs the copy", async (_, makePool) => {
  await using pool = makePool()
  using scratch = new Scratch()
  const places = await pool.map(copies.run, items(scratch.directory, ['own']), each)
  expect(places[3]).not.toBe(scratch.log('own-first').lines[0])
  await until(
    'nothing runs',
    () => pool.stats(),
    ({ running, waiting }) => running + waiting === 0,
  )
})

test('it is an option of calls with many chunks, and true or false', async () => {
  await using pool = new Pool(1)
  const none = [] as { directory: string }[]
  await expect(pool.apply(copies.run, [{ directory: '' }], undefined, each as never)).rejects.toThrow(/unknown option/)
  await expect(pool.map(copies.run, none, { backup: 1 as never })).rejects.toThrow(
    /backup must be true or false, got 1/,
  )
  expect(await pool.map(copies.run, none, { backup: true })).toEqual([])
  expect(() => pool.mapAsync(copies.run, none, { backup: true, durable: 'nightly' } as never)).toThrow(
    /cannot have backup/,
  )
})
