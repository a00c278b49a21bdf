// Whatever stands in the keys of a pool, by accident or by ill will: what belongs to a call ends as a clear error of that
// call, what belongs to none is removed or ignored, and everything else goes on.
import { type AsyncResult, Pool } from '@poolmq/client'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { RedisServer } from '../chaos/redis-server.js'
import { WorkerHost } from '../chaos/worker-host.js'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

const redisProgram = inject('redisProgram')
let redis: RedisServer
beforeAll(async () => {
  if (redisProgram !== '') redis = await RedisServer.start(redisProgram)
})
afterAll(() => redis?.[Symbol.asyncDispose]())

let name: string
beforeEach(() => {
  name = uniqueName('records')
})
const key = (suffix: string) => `poolmq:{${name}}:${suffix}`
const ask = (command: string, ...args: (string | number)[]) => redis.ask(command, ...args)
const startHost = () => WorkerHost.start({ pool: name, redis: redis.url, processes: 2, lease: 3000 })

/** A pool with so many calls that wait for a worker. */
async function waitingCalls(pool: Pool, count: number): Promise<{ calls: AsyncResult<number>[]; client: string }> {
  const calls = Array.from({ length: count }, (_, i) => pool.applyAsync(chaos.length, ['x'.repeat(i)]))
  const waiting = () => ask('LLEN', key('chunks:wait'))
  await until('they wait', waiting, (length) => length === count)
  const [stream = ''] = (await ask('KEYS', key('results:*'))) as string[]
  return { calls, client: stream.slice(key('results:').length) }
}

/** How a call ends: its value, or the code of its error. */
const ending = (call: AsyncResult<number>) =>
  call.get(60_000).then(
    (value) => ({ value }),
    (error: Error & { code?: string }) => ({ error: error.code ?? error.name, message: error.message }),
  )

const header = (fields: object) => JSON.stringify({ v: 1, m: 'e', x: 1, e: 'j', ...fields })

/** Losses are read of a chunk that was taken before. */
const taken = { processedOn: '1' }

/** What stands in a chunk's hash, and how its call ends; 'right': as if nothing were. */
const chunks: Record<string, readonly [fields: Record<string, string>, ends: string | RegExp]> = {
  'no data': [{ data: '' }, 'ERR_POOL_PROTOCOL'],
  'no header': [{ data: 'garbage' }, 'ERR_POOL_PROTOCOL'],
  'another’s job': [{ data: '{"email":"a@b.c"}' }, 'ERR_POOL_PROTOCOL'],
  'half a header': [{ data: '{"v":1,"m":\n[["abc"]]' }, 'ERR_POOL_PROTOCOL'],
  'a header that is a list': [{ data: '[1]\n[["abc"]]' }, 'ERR_POOL_PROTOCOL'],
  'a header that is null': [{ data: 'null\n[["abc"]]' }, 'ERR_POOL_PROTOCOL'],
  'no version': [{ data: '{"m":"e","e":"j"}\n[["abc"]]' }, 'ERR_POOL_PROTOCOL'],
  'a newer version': [{ data: `${header({ v: 99 })}\n[["abc"]]` }, 'ERR_POOL_PROTOCOL'],
  'an unknown mode': [{ data: `${header({ m: 'q' })}\n[["abc"]]` }, 'ERR_POOL_PROTOCOL'],
  'a negative limit': [{ data: `${header({ t: -5 })}\n[["abc"]]` }, 'ERR_POOL_PROTOCOL'],
  'impossible retries': [{ data: `${header({ r: { count: 'x' } })}\n[["abc"]]` }, 'ERR_POOL_PROTOCOL'],
  'an unknown encoding': [{ data: `${header({ e: 'z' })}\n[["abc"]]` }, 'ERR_POOL_PROTOCOL'],
  'a header of 1 MB': [{ data: `${header({ z: 'z'.repeat(1_000_000) })}\n[["abc"]]` }, 'ERR_POOL_PROTOCOL'],
  'a prototype': [{ data: '{"__proto__":{"v":1,"m":"e","e":"j"}}\n[["abc"]]' }, 'ERR_POOL_PROTOCOL'],
  'half a payload': [{ data: `${header({})}\n[["ab` }, /ERR_POOL_(ENCODING|PROTOCOL)/],
  'a payload that is no list': [{ data: `${header({})}\n{"0":"abc"}` }, /ERR_POOL_|TypeError/],
  'arguments that are no list': [{ data: `${header({})}\n["abc",7]` }, /ERR_POOL_|TypeError/],
  'too many items': [{ data: `${header({})}\n[["abc"],["de"]]` }, 'ERR_POOL_PROTOCOL'],
  'no items': [{ data: `${header({})}\n[]` }, 'ERR_POOL_PROTOCOL'],
  'rich text that is none': [{ data: `${header({ e: 'r' })}\n[[1,2` }, /ERR_POOL_(ENCODING|PROTOCOL)/],
  'rich text that points nowhere': [{ data: `${header({ e: 'r' })}\n[[7,8]]` }, /ERR_POOL_|Error/],
  'numbers that are none': [{ data: `${header({ e: 'b4' })}\nAAAA*A==` }, 'ERR_POOL_PROTOCOL'],
  'numbers that are not whole': [{ data: `${header({ e: 'b4' })}\nAAAA` }, 'ERR_POOL_ENCODING'],
  'bytes that are not whole numbers': [{ data: `${header({ e: 'n8' })}\n0123456` }, 'ERR_POOL_ENCODING'],
  'numbers of an unknown width': [{ data: `${header({ e: 'b3' })}\nAAAA` }, 'ERR_POOL_PROTOCOL'],
  'numbers without a width': [{ data: `${header({ e: 'n' })}\n4AAAAAA==` }, 'ERR_POOL_PROTOCOL'],
  'too many numbers': [{ data: `${header({ e: 'n1' })}\nabc` }, /ERR_POOL_|TypeError/],
  'no numbers': [{ data: `${header({ e: 'b1' })}\n` }, 'ERR_POOL_PROTOCOL'],
  'no name': [{ name: '' }, 'ERR_POOL_UNKNOWN_TASK'],
  'a name of the prototype': [{ name: '__proto__' }, 'ERR_POOL_UNKNOWN_TASK'],
  'a name that all objects have': [{ name: 'chaos.constructor' }, 'ERR_POOL_UNKNOWN_TASK'],
  'a name of 100 KB': [{ name: 'n'.repeat(100_000) }, 'ERR_POOL_UNKNOWN_TASK'],
  'options that are no JSON': [{ opts: '{"attempts' }, /right|ERR_POOL_/],
  'a parent that is no JSON': [{ parent: '{', parentKey: 'x' }, /right|ERR_POOL_/],
  'losses that are no numbers': [
    { ...taken, lost: 'many', 'lost:x': '-', stc: 'NaN', seen: '{}', 'late:0': 'z' },
    /right|ERR_POOL_/,
  ],
  'details that are no JSON': [{ ...taken, loss: '{"pid":' }, 'right'],
  'details that are null': [{ ...taken, loss: 'null', lost: '3' }, 'ERR_POOL_WORKER_LOST'],
  'more losses than any': [{ ...taken, lost: '999999999999999999999' }, 'ERR_POOL_WORKER_LOST'],
}

describe.skipIf(redisProgram === '')('malformed', () => {
  test('chunks of a call', async () => {
    await using pool = new Pool({ name, connection: redis.url })
    const table = Object.entries(chunks)
    const { calls, client } = await waitingCalls(pool, table.length + 1)
    for (const [i, [, [fields]]] of table.entries()) {
      await ask('HSET', key(`chunks:${client}.${i}.0`), ...Object.entries(fields).flat())
    }
    await using host = await startHost()
    const workers = host.workers
    const ends = await Promise.all(calls.map(ending))
    const problems: string[] = []
    for (const [i, [what, [, expected]]] of table.entries()) {
      const end = ends[i] as { value?: number; error?: string; message?: string }
      const was = end.error ?? (end.value === i ? 'right' : `the value ${end.value}`)
      if (!(typeof expected === 'string' ? was === expected : expected.test(was))) {
        problems.push(`${what}: ${was} ${end.message ?? ''}`)
      }
    }
    expect(problems).toEqual([])
    expect(ends.at(-1)).toEqual({ value: table.length })
    // None of it ended a worker process.
    expect(host.workers).toEqual(workers)
  })

  // As after a freeze of Redis that outlasted their time to live.
  test('chunks whose hash has expired, wherever they stand: they are added again', async () => {
    await using pool = new Pool({ name, connection: redis.url })
    const { calls, client } = await waitingCalls(pool, 2)
    const map = pool.mapAsync(chaos.length, ['a', 'bc', 'def', 'ghij'], 1)
    const ranked = pool.applyAsync(chaos.length, ['x'], undefined, { priority: 3 })
    const late = pool.applyAsync(chaos.length, ['xy'], undefined, { priority: 5 })
    await until(
      'they wait',
      async () => Number(await ask('ZCARD', key('chunks:prioritized'))),
      (count) => count === 2,
    )
    await until(
      'they wait',
      async () => Number(await ask('LLEN', key('chunks:wait'))),
      (count) => count === 6,
    )
    // One was put off, as a chunk is whose task this host does not have.
    await ask('ZREM', key('chunks:prioritized'), `${client}.4.0`)
    await ask('ZADD', key('chunks:delayed'), 1, `${client}.4.0`)
    // Some half gone: fields that a script has made anew since.
    for (const id of ['0.0', '2.0', '2.2', '2.3', '3.0', '4.0']) await ask('DEL', key(`chunks:${client}.${id}`))
    await ask('HSET', key(`chunks:${client}.0.0`), 'stc', 1)
    await ask('HSET', key(`chunks:${client}.2.0`), 'processedOn', 1)
    await using host = await startHost()
    const workers = host.workers
    expect(await Promise.all(calls.map(ending))).toEqual([{ value: 0 }, { value: 1 }])
    expect(await map.get(60_000)).toEqual([1, 2, 3, 4])
    expect(await Promise.all([ranked, late].map(ending))).toEqual([{ value: 1 }, { value: 2 }])
    expect(host.workers).toEqual(workers)
  })

  test('chunks of nobody', async () => {
    await using host = await startHost()
    await using pool = new Pool({ name, connection: redis.url })
    expect(await pool.map(chaos.length, ['a', 'bc'], 1)).toEqual([1, 2])
    const workers = host.workers
    const data = `${header({})}\n[["abc"]]`
    const ids = [
      '1',
      '0:1700000000',
      'email',
      'a.b.c',
      '__proto__',
      'x'.repeat(10_000),
      '../../x',
      'äöü \u0000',
      '{}',
      '*',
    ]
    ids.push('aaaaaaaaaaaaaaaa.0.0', 'aaaaaaaaaaaaaaaa.0.1', 'aaaaaaaaaaaaaaaa.999999999999999.999999999999999')
    for (const [i, id] of ids.entries()) {
      // With a hash of ours, with another's, with none.
      if (i % 3 === 0) await ask('HSET', key(`chunks:${id}`), 'name', 'chaos.length', 'data', data, 'opts', '{}')
      if (i % 3 === 1) await ask('HSET', key(`chunks:${id}`), 'foo', 'bar')
      await ask('LPUSH', key('chunks:wait'), id)
    }
    await ask('ZADD', key('chunks:delayed'), 1, 'late', 2, 'later')
    await ask('ZADD', key('chunks:prioritized'), 1, 'first', 2, 'second')
    await ask('ZADD', key('chunks:marker'), 0, '0')
    const lists = async () => {
      const waiting = (await ask('LLEN', key('chunks:wait'))) as number
      return waiting + ((await ask('ZCARD', key('chunks:prioritized'))) as number)
    }
    await until('they are taken', lists, (length) => length === 0)
    expect(await pool.map(chaos.length, ['a', 'bc', 'def'], 1)).toEqual([1, 2, 3])
    const active = () => ask('LRANGE', key('chunks:active'), 0, -1) as Promise<string[]>
    await until('none is held', active, (held) => held.length === 0)
    expect(host.workers).toEqual(workers)
  })

  test('keys of another type in the place of chunks', async () => {
    await using host = await startHost()
    await using pool = new Pool({ name, connection: redis.url })
    expect(await pool.map(chaos.length, ['a', 'bc'], 1)).toEqual([1, 2])
    for (const id of ['aaaaaaaaaaaaaaaa.0.0', 'email']) {
      await ask('SET', key(`chunks:${id}`), 'text', 'PX', 60_000)
      await ask('LPUSH', key('chunks:wait'), id)
      await ask('ZADD', key('chunks:marker'), 0, '0')
    }
    expect(await pool.map(chaos.length, ['a', 'bc', 'def'], 1)).toEqual([1, 2, 3])
    const active = () => ask('LRANGE', key('chunks:active'), 0, -1) as Promise<string[]>
    await until('none is held', active, (held) => held.length === 0)
    expect(host.workers.length).toBe(2)
  })

  test('outcomes', async () => {
    await using pool = new Pool({ name, connection: redis.url })
    const good = JSON.stringify({ v: 1, e: 'j', d: 1 })
    const outcomes: Record<string, readonly string[]> = {
      'no header': ['p', '[1]'],
      'no payload': ['h', good],
      'a header that is no JSON': ['h', '{"v":1', 'p', '[1]'],
      'a header that is a list': ['h', '[]', 'p', '[1]'],
      'a newer version': ['h', '{"v":2,"e":"j","d":1}', 'p', '[1]'],
      'an unknown encoding': ['h', '{"v":1,"e":"x","d":1}', 'p', '[1]'],
      'failures that are none': ['h', '{"v":1,"e":"j","f":[["a"]],"d":1}', 'p', '[1]'],
      'a failure of an item that is not there': [
        'h',
        '{"v":1,"e":"j","f":[[7,{"n":"Error","m":"x"}]],"d":1}',
        'p',
        '[1]',
      ],
      'an error that is null': ['h', '{"v":1,"e":"j","f":[[0,null]],"d":1}', 'p', '[1]'],
      'an error that is nothing': ['h', '{"v":1,"e":"j","f":[[0,{}]],"d":1}', 'p', '[1]'],
      'half a payload': ['h', good, 'p', '[1'],
      'a payload that is no list': ['h', good, 'p', '{"length":1}'],
      'too many results': ['h', good, 'p', '[1,2]'],
      'no results': ['h', good, 'p', '[]'],
      'rich text that is none': ['h', '{"v":1,"e":"r","d":1}', 'p', '[[1,'],
      'numbers that are none': ['h', '{"v":1,"e":"b1","d":1}', 'p', 'A*=='],
      'numbers that are not whole': ['h', '{"v":1,"e":"b8","d":1}', 'p', 'AAAA'],
      'bytes that are not whole numbers': ['h', '{"v":1,"e":"n4","d":1}', 'p', 'abc'],
      'numbers without a width': ['h', '{"v":1,"e":"n","d":1}', 'p', '1AA=='],
      'too many numbers': ['h', '{"v":1,"e":"b1","d":1}', 'p', 'AAAA'],
      'too many bytes': ['h', '{"v":1,"e":"n1","d":1}', 'p', 'abc'],
      'no numbers': ['h', '{"v":1,"e":"n8","d":1}', 'p', ''],
    }
    const table = Object.entries(outcomes)
    const { calls, client } = await waitingCalls(pool, table.length + 2)
    const stream = key(`results:${client}`)
    const strange = ['', 'x', 'a.b.c', `${client}.99999.0`, `${client}.0.1`, 'aaaaaaaaaaaaaaaa.0.0', '__proto__']
    for (const id of strange) await ask('XADD', stream, '*', 'j', id, 'h', good, 'p', '[1]')
    await ask('XADD', stream, '*', 'foo', 'bar')
    await ask('XADD', stream, '*', '__proto__', 'x', 'j', '', 'h', '')
    for (const [i, [, fields]] of table.entries()) {
      await ask('XADD', stream, '*', 'j', `${client}.${i}.0`, ...fields)
      // The second outcome of a chunk finds nothing to do.
      await ask('XADD', stream, '*', 'j', `${client}.${i}.0`, 'h', good, 'p', '[1]')
    }
    await ask('XADD', stream, '*', 'j', `${client}.${table.length}.0`, 'h', good, 'p', '[77]')
    const ends = await Promise.all(calls.slice(0, -1).map(ending))
    const fine = table.filter((_, i) => (ends[i] as { error?: string }).error === undefined).map(([what]) => what)
    expect(fine, 'what was taken for a result').toEqual([])
    expect(ends.at(-1)).toEqual({ value: 77 })
    await using _host = await startHost()
    expect(await ending(calls.at(-1) as AsyncResult<number>)).toEqual({ value: table.length + 1 })
  })

  test('presence and spec', async () => {
    await using _host = await startHost()
    const records = ['', '{', '[]', 'null', '{"v":1}', '{"host":1,"expires":1e999}', '{"__proto__":{"expires":9e15}}']
    await ask('HSET', key('hosts'), ...records.flatMap((record, i) => [`strange-${i}`, record]))
    {
      await using pool = new Pool({ name, connection: redis.url })
      expect(await pool.map(chaos.length, ['a', 'bc'])).toEqual([1, 2])
    }
    await using pool = new Pool({ name, connection: redis.url, maxTasksPerChild: 1000 })
    const specs = () => ask('KEYS', key('spec:*')) as Promise<string[]>
    const [spec = ''] = await until('the spec', specs, (names) => names.length === 1)
    await ask('SET', spec, '{"v":1,"initializer":{"task":1}}', 'PX', 30_000)
    expect(await ending(pool.applyAsync(chaos.length, ['abc']))).toMatchObject({ error: 'ERR_POOL_PROTOCOL' })
    // The client's next renewal mends it.
    const call = async () => await ending(pool.applyAsync(chaos.length, ['abc']))
    await until('the spec is mended', call, (end) => 'value' in end && end.value === 3)
  })
})
