// Several clients of one named pool, each with an initializer of its own: each finds its own state and no other.
import { Pool, type PoolOptions } from '@poolmq/client'
import { describe, expect, test } from 'vitest'
import { specs } from '../fixtures/dist/spec-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'

const host = (pool: string, ...flags: string[]) =>
  new ProgramRun([poolmqCommand, 'worker', '--pool', pool, ...flags, fixture('spec-tasks')], {
    env: { REDIS_URL: redisUrl() },
  })
const client = (name: string, who: string, options: PoolOptions = {}) =>
  new Pool({ name, initializer: specs.become, initArgs: [who], ...options })

describe.each(['--processes', '--threads'])('one worker (%s)', (flag) => {
  test('is made anew for a client whose initializer is another’s, and shared by clients whose are the same', async () => {
    const name = uniqueName('specs')
    await using _host = host(name, flag, '1')
    await using a = client(name, 'A')
    await using b = client(name, 'B')
    await using second = client(name, 'A')
    await using plain = new Pool({ name })
    for (let round = 0; round < 2; round++) {
      const first = await a.apply(specs.both)
      expect(first.who).toBe('A')
      // The same initializer with the same arguments has run; none needs to have run.
      expect(await second.apply(specs.both)).toEqual(first)
      expect(await plain.apply(specs.where)).toBe(first.where)
      const other = await b.apply(specs.both)
      expect(other.who).toBe('B')
      expect(other.where).not.toBe(first.where)
    }
  })

  test('serves clients that take turns without a start for each turn', async () => {
    const name = uniqueName('specs')
    using scratch = new Scratch()
    const log = scratch.log('starts')
    await using _host = host(name, flag, '1')
    const names = ['A', 'B', 'C']
    const pools = names.map((who) => client(name, who, { initArgs: [who, log.path] }))
    const turns = Array.from({ length: 40 }, (_, i) => i)
    // Each call waits for the one before: A, B, C, A, B, C, … are in the queue at any time.
    const seen = await Promise.all(
      pools.map(async (pool) => {
        const found = new Set<string>()
        for (const _ of turns) found.add(await pool.apply(specs.who))
        return [...found]
      }),
    )
    expect(seen).toEqual(names.map((who) => [who]))
    // One for each of the 120 calls, if each took its turn; 3 on a quiet machine.
    expect(log.lines.length).toBeLessThan(60)
    await Promise.all(pools.map((pool) => pool.terminate()))
  })
})

test.each([
  ['two workers', ['--processes', '2']],
  ['a worker that runs four tasks at a time', ['--processes', '1', '--concurrency', '4']],
])('%s: two clients at once, whatever the calls', async (_what, flags) => {
  const name = uniqueName('specs')
  using scratch = new Scratch()
  const log = scratch.log('starts')
  await using _host = host(name, ...flags)
  await using a = client(name, 'A', { initArgs: ['A', log.path] })
  await using b = client(name, 'B', { initArgs: ['B', log.path] })
  const items = Array.from({ length: 80 }, (_, i) => i)
  const one = async (pool: Pool) => {
    const found = new Set<string>(await pool.map(specs.who, items, 5))
    for (let i = 0; i < 30; i++) found.add(await pool.apply(specs.who))
    for await (const who of pool.imapUnordered(specs.who, items, 1)) found.add(who)
    return [...found]
  }
  expect(await Promise.all([one(a), one(b)])).toEqual([['A'], ['B']])
  // 252 calls and chunks; a few starts where each finds its own.
  expect(log.lines.length).toBeLessThan(60)
})

test('a pool’s own workers serve another client, and then their own again', async () => {
  const name = uniqueName('specs')
  await using own = client(name, 'own', { processes: 1, connection: redisUrl() })
  await using other = client(name, 'other', { connection: redisUrl() })
  for (let round = 0; round < 2; round++) {
    expect(await own.apply(specs.who)).toBe('own')
    expect(await other.map(specs.who, [1, 2, 3])).toEqual(['other', 'other', 'other'])
  }
})
