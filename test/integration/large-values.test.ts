// Values of any size, through a Redis that takes none above 1 MiB and sends no client more than 64 MiB at once: what is large
// travels in pieces, which belong to somebody, and go with him.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from '@poolmq/client'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { RedisServer } from '../chaos/redis-server.js'
import { WorkerHost } from '../chaos/worker-host.js'
import { large, pattern } from '../fixtures/dist/large-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

const redisProgram = inject('redisProgram')
const narrow = ['--proto-max-bulk-len', '1048576', '--client-output-buffer-limit', 'normal', '64mb', '64mb', '0']

describe.skipIf(redisProgram === '')('large values', () => {
  let redis: RedisServer
  let directory: string
  let pool: Pool
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'poolmq-large-'))
    redis = await RedisServer.start(redisProgram, narrow)
    pool = new Pool({ processes: 2, connection: redis.url })
  })
  afterAll(async () => {
    await pool?.terminate()
    await redis?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  const ask = (command: string, ...args: (string | number)[]) => redis.ask(command, ...args)
  const keysLike = async (pattern: string) => (await redis.keys()).filter((key) => key.includes(pattern)).sort()

  test('24 results of 8 MB, of which a client may be sent no eight at once', async () => {
    const lengths = Array.from({ length: 24 }, (_, i) => 4_000_000 + i)
    const texts = await pool.map(large.text, lengths)
    expect(texts.map((text) => text.length)).toEqual(lengths)
    expect(texts.every((text) => text.at(-1) === 'é')).toBe(true)
  })

  test('many results just small enough to be sent together', async () => {
    const results = pool.imap(large.text, Array(300).fill(80_000), { chunkSize: 1, bufferSize: 300 })
    let count = 0
    for await (const text of results) count += text.length
    expect(count).toBe(300 * 80_000)
  })

  test('arguments, both ways, of all kinds', async () => {
    const text = 'ü'.repeat(3_000_000)
    expect(await pool.apply(large.identity, [text])).toBe(text)
    const rows = Array.from({ length: 30_000 }, (_, i) => ({
      i,
      when: new Date(i),
      nothing: undefined,
      text: `row ${i}`,
    }))
    expect(await pool.apply(large.identity, [rows])).toEqual(rows)
    const bytes = pattern(5_000_000, 7)
    expect(bytes.equals((await pool.apply(large.identity, [bytes])) as Buffer)).toBe(true)
    const floats = await pool.apply(large.floats, [1_000_000])
    expect([floats.length, floats[999_999]]).toEqual([1_000_000, 1_499_998.5])
    const numbers = Array.from({ length: 1_000_000 }, (_, i) => i / 3)
    expect(await pool.map(large.identity, numbers, 300_000)).toEqual(numbers)
    expect(
      await pool.starmap(
        large.together,
        [1, 2, 3].map((x) => [x, text]),
      ),
    ).toEqual([1, 2, 3].map((x) => x + 3_000_000))
  })

  test('an error of 100 MB fails its item, and no host', async () => {
    const before = await pool.apply(large.text, [1])
    expect(before).toBe('é')
    const failed = await pool
      .applyAsync(large.fail, [100_000_000])
      .get(60_000)
      .catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(RangeError)
    expect((failed as Error).message.length).toBeLessThan(4_000_000)
    expect(failed).toMatchObject({ status: 500 })
    const ends: unknown[] = []
    const results = pool.imap(large.fail, Array(60).fill(1_000_000), { chunkSize: 20 })
    for (let i = 0; i < 60; i++) ends.push(await results.next().catch((error: unknown) => error))
    expect(ends.every((end) => end instanceof RangeError)).toBe(true)
    expect(await pool.map(large.lengthOf, ['a', 'bc'])).toEqual([1, 2])
  })

  test('nothing of them is left in Redis', async () => {
    const left = async () => [...(await keysLike(':outcome')), ...(await keysLike(':parts'))]
    await until('all pieces are gone', left, (keys) => keys.length === 0)
  })

  describe('on hosts', () => {
    const place = () => {
      const name = uniqueName('large')
      const [go, log] = [join(directory, `${name}.go`), join(directory, `${name}.log`)]
      writeFileSync(log, '')
      return { name, go, log, runs: () => readFileSync(log, 'utf8').length }
    }
    const host = (name: string) =>
      WorkerHost.start({ pool: name, redis: redis.url, processes: 1, lease: 3000, tasks: 'large-tasks' })
    const argument = 'x'.repeat(2_000_000)

    test.concurrent('a payload of which a part is missing is sent again', async () => {
      const { name } = place()
      await using named = new Pool({ name, connection: redis.url })
      const whole = named.applyAsync(large.lengthOf, [argument])
      const damaged = named.applyAsync(large.lengthOf, [`${argument}y`])
      const lost = named.applyAsync(large.lengthOf, [`${argument}yz`])
      await until(
        'they wait',
        () => keysLike(`${name}}:chunks:`),
        (keys) => keys.filter((key) => key.endsWith(':parts')).length === 3,
      )
      const parts = (await keysLike(`${name}}:chunks:`)).filter((key) => key.endsWith(':parts'))
      for (const [key, life] of Object.entries(await redis.lives())) expect([key, life > 0]).toEqual([key, true])
      await ask('HDEL', parts[1] as string, '1')
      await ask('DEL', parts[2] as string)
      await using _host = await host(name)
      expect(await Promise.all([whole, damaged, lost].map((call) => call.get(60_000)))).toEqual([
        2_000_000, 2_000_001, 2_000_002,
      ])
    })

    test.concurrent('a result of which a part is missing is made again', async () => {
      const { name, go, log, runs } = place()
      await using named = new Pool({ name, connection: redis.url })
      await using _host = await host(name)
      const call = named.applyAsync(large.noteAndText, [{ log, go, length: 1_000_000 }])
      await until('it runs', runs, (count) => count === 1)
      // A worker process that was lost in mid-delivery leaves some pieces; the outcome's entry names others.
      const stream = (await keysLike(`${name}}:results:`))[0] as string
      const client = stream.slice(stream.lastIndexOf(':') + 1)
      await ask('HSET', `poolmq:{${name}}:outcome:${client}.0.0:left`, 'head', '5,100')
      await ask('SADD', `poolmq:{${name}}:outcomes:${client}`, `${client}.0.0:left`)
      await ask('XADD', stream, '*', 'j', `${client}.0.0`, 'h', '{"v":1,"e":"a","k":"none","d":1}', 'p', '')
      writeFileSync(go, '')
      expect((await call.get(60_000)).length).toBe(1_000_000)
      await until(
        'what was left is removed',
        () => keysLike(`${name}}:outcome`),
        (keys) => keys.length === 0,
      )
    })

    test.concurrent('nothing is left of a call that is cancelled, or of a client that goes, with large values under way', async () => {
      const { name } = place()
      const named = new Pool({ name, connection: redis.url })
      const abort = new AbortController()
      const calls = [0, 1, 2].map(() =>
        named.applyAsync(large.lengthOf, [argument], undefined, { signal: abort.signal }),
      )
      const kept = named.applyAsync(large.lengthOf, [argument])
      await until(
        'they wait',
        () => keysLike(`${name}}:chunks:`),
        (keys) => keys.filter((key) => key.endsWith(':parts')).length === 4,
      )
      abort.abort()
      for (const call of calls) await expect(call.get()).rejects.toThrow('cancelled')
      await until(
        'one is left',
        () => keysLike(`${name}}:chunks:`),
        (keys) => keys.filter((key) => key.endsWith(':parts')).length === 1,
      )
      await named.terminate()
      await expect(kept.get()).rejects.toThrow('terminated')
      expect(await keysLike(name)).toEqual([])
    })
  })
})
