// A Redis that does not let everybody in: a password, a user of its own with no more rights than docs/guide/redis.md says,
// TLS. From the client to the worker processes, whoever starts them.
import { readFileSync } from 'node:fs'
import { ConnectionError, type ConnectionOption, Pool } from '@poolmq/client'
import { describe, expect, inject, test } from 'vitest'
import { RedisServer } from '../chaos/redis-server.js'
import { WorkerHost } from '../chaos/worker-host.js'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { makeCertificate } from '../support/certificate.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { freePorts } from '../support/redis-process.js'

const redisProgram = inject('redisProgram')
const suite = describe.skipIf(redisProgram === '')

const freePort = async () => String((await freePorts(1))[0])

interface Way {
  readonly client: ConnectionOption
  /** For the command. */
  readonly host: string
  readonly env?: NodeJS.ProcessEnv
}

/** A pool with processes of its own, and a named one with a host: calls, stops and ends of all kinds. */
async function expectService({ client, host, env = {} }: Way): Promise<void> {
  {
    await using pool = new Pool({ processes: 1, connection: client, maxTasksPerChild: 2 })
    expect(await pool.map(chaos.length, ['a', 'bc', 'def'], 1)).toEqual([1, 2, 3])
    const late = pool.apply(chaos.sleep, [60_000], undefined, { timeout: 50 })
    await expect(late).rejects.toMatchObject({ code: 'ERR_POOL_TASK_TIMEOUT' })
  }
  const name = uniqueName('access')
  await using served = await WorkerHost.start({ pool: name, redis: host, processes: 1, env })
  await using pool = new Pool({ name, connection: client })
  expect(await pool.map(chaos.length, ['a', 'bc'], { priority: 1 })).toEqual([1, 2])
  const controller = new AbortController()
  const sleeping = pool.mapAsync(chaos.sleep, [60_000, 60_000], { chunkSize: 1, signal: controller.signal })
  using scratch = new Scratch()
  const deadly = { log: scratch.log('deaths').path, bad: 1, value: 1 }
  controller.abort()
  await expect(sleeping).rejects.toMatchObject({ code: 'ERR_POOL_CANCELLED' })
  await expect(pool.apply(chaos.poison, [deadly])).rejects.toMatchObject({ code: 'ERR_POOL_WORKER_LOST' })
  served.signal('SIGTERM')
  expect(await served.exit()).toBe(0)
  expect(served.complaints).not.toMatch(/NOPERM|NOAUTH/)
}

async function refusal(connection: ConnectionOption): Promise<Error> {
  await using pool = new Pool({ processes: 1, connection })
  return await pool.apply(chaos.length, ['a']).then(
    () => expect.unreachable(),
    (error: Error) => error,
  )
}

suite('a password', () => {
  test('that is given is used, one that is missing or wrong is an error', async () => {
    const port = await freePort()
    const settings = ['--port', port, '--bind', '127.0.0.1', '--requirepass', 'open/sesame']
    await using _redis = await RedisServer.start(redisProgram, settings)
    const url = `redis://:open%2Fsesame@127.0.0.1:${port}`
    await expectService({ client: url, host: url })
    for (const wrong of [`redis://127.0.0.1:${port}`, `redis://:sesame@127.0.0.1:${port}`]) {
      const error = await refusal(wrong)
      expect(error).toBeInstanceOf(ConnectionError)
      expect(error.message).toMatch(/password/)
      expect(error.message).not.toMatch(/sesame/)
    }
  })
})

/** The rules of docs/guide/redis.md. */
function documentedRules(): string[] {
  const guide = readFileSync(new URL('../../docs/guide/redis.md', import.meta.url), 'utf8')
  const [, rules] = /^ACL SETUSER poolmq (.*)$/m.exec(guide) ?? []
  if (rules === undefined) throw new Error('docs/guide/redis.md has no line "ACL SETUSER poolmq …"')
  return rules.split(' ')
}

suite('a user of its own', () => {
  test('with the rights that the guide gives it, and no others', async () => {
    const port = await freePort()
    await using redis = await RedisServer.start(redisProgram, ['--port', port, '--bind', '127.0.0.1'])
    await redis.ask('ACL', 'SETUSER', 'poolmq', ...documentedRules().map((rule) => rule.replace(/^>.*/, '>secret')))
    const url = `redis://poolmq:secret@127.0.0.1:${port}`
    await expectService({ client: url, host: url })
    // Nothing that it was refused was done without a word.
    expect(await redis.ask('ACL', 'LOG')).toEqual([])
    const rights = async (...command: string[]) => await redis.ask('ACL', 'DRYRUN', 'poolmq', ...command)
    expect(await rights('GET', 'poolmq:{a}:hosts')).toBe('OK')
    for (const command of [['GET', 'other'], ['FLUSHALL'], ['KEYS', '*'], ['CONFIG', 'GET', 'dir'], ['SHUTDOWN']]) {
      expect(await rights(...command), command.join(' ')).toMatch(/permission/)
    }
  })

  test.each([
    ['no keys of ours', '~other:* +@all'],
    ['no scripts', '~poolmq:* +@all -@scripting'],
    ['no reading of results', '~poolmq:* +@all -xread'],
    ['no INFO', '~poolmq:* +@all -info'],
  ])('with too few rights (%s): an error that says so', async (_what, rules) => {
    const port = await freePort()
    await using redis = await RedisServer.start(redisProgram, ['--port', port, '--bind', '127.0.0.1'])
    await redis.ask('ACL', 'SETUSER', 'poolmq', 'on', '>secret', ...rules.split(' '))
    const error = await refusal(`redis://poolmq:secret@127.0.0.1:${port}`)
    expect(error).toBeInstanceOf(ConnectionError)
    expect(error.message).toMatch(/may not run the commands that PoolMQ needs/)
    expect(error.message).not.toMatch(/secret/)
  })
})

suite('TLS', () => {
  test('with a certificate of one’s own', async () => {
    using scratch = new Scratch()
    const { cert, settings } = await makeCertificate(scratch.directory)
    const port = await freePort()
    await using _redis = await RedisServer.start(redisProgram, ['--tls-port', port, '--bind', '127.0.0.1', ...settings])
    const ca = readFileSync(cert, 'utf8')
    await expectService({
      client: { host: 'localhost', port: Number(port), tls: { ca } },
      host: `rediss://localhost:${port}`,
      env: { NODE_EXTRA_CA_CERTS: cert },
    })
    const error = await refusal(`rediss://localhost:${port}`)
    expect(error).toBeInstanceOf(ConnectionError)
    expect(error.message).toMatch(/certificate is not trusted/)
  })
})
