// After the first success: lost connections come back, and the end of a link leaves nothing behind.
import { type ExecFileException, execFile } from 'node:child_process'
import { type EventEmitter, once } from 'node:events'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ConnectionError } from '../../packages/shared/src/errors/errors.js'
import type { ConnectionOption } from '../../packages/shared/src/redis/connection-options.js'
import { RedisLink, type RedisLinkOptions } from '../../packages/shared/src/redis/redis-link.js'
import { until } from '../support/until.js'
import { redisProgram, TestServer } from './connection-server.js'

const module = resolve(import.meta.dirname, '../../packages/shared/dist/redis/redis-link.js')

describe.skipIf(!redisProgram)('a connection that is lost', () => {
  test('comes back when the server is started again, and what waited is sent', async () => {
    const { server, link } = await start()
    const blocked = link.duplicate().blpop('list', 8)
    const lost = once(link, 'lost')
    await server.kill()
    await lost
    expect(link.lostFor).toBeGreaterThan(0)
    const waiting = link.client.rpush('list', 'x')
    const restored = once(link, 'restored')
    await server.start()
    const [after] = await restored
    expect(after).toBeGreaterThan(0)
    expect(link.lostFor).toBe(0)
    expect(link.lastError).toBeInstanceOf(Error)
    expect(await waiting).toBe(1)
    expect(await blocked).toEqual(['list', 'x'])
  })

  test('is noticed when the server holds it, but answers nothing', async () => {
    const { server, link } = await start({ silenceLimit: 2000 })
    const blocked = link.duplicate().blpop('list', 0)
    let got: unknown
    blocked.then(
      (reply) => {
        got = reply
      },
      () => undefined,
    )
    await link.client.ping()
    const lost = once(link, 'lost')
    server.freeze()
    const [error] = await lost
    expect(error).toMatchObject({ code: 'ETIMEDOUT', message: 'no answer from Redis for 2000 ms' })
    const restored = once(link, 'restored')
    server.thaw()
    await restored
    // It is silent again while it blocks, and connected anew each time: what is pushed may go to the connection before.
    const push = async () => {
      await link.client.rpush('list', 'x')
      return got
    }
    await until('what is pushed arrives', push, (reply) => reply !== undefined)
    expect(got).toEqual(['list', 'x'])
  })

  test('is not lost by a task that blocks this process for longer than a silent server may', async () => {
    const { link } = await start({ silenceLimit: 2000 })
    const lost = vi.fn()
    link.on('lost', lost)
    for (let block = 0; block < 2; block++) {
      const answer = link.client.ping()
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000)
      expect(await answer).toBe('PONG')
    }
    expect(lost).not.toHaveBeenCalled()
  })

  test('to a master that became a replica, is made again, and the command is sent again', async () => {
    const { link } = await start()
    await link.client.replicaof('127.0.0.1', 1)
    const lost = once(link, 'lost')
    const written = link.client.set('a', '1')
    await lost
    await link.client.replicaof('NO', 'ONE')
    expect(await written).toBe('OK')
  })
})

describe.skipIf(!redisProgram)('close', () => {
  test('ends what blocks, and is the same when called again', async () => {
    const { link } = await start()
    const blocked = link.duplicate().blpop('list', 0)
    const [rejected] = await Promise.allSettled([blocked, inTime(() => link.close())])
    expect(rejected).toMatchObject({ status: 'rejected', reason: { message: 'Connection is closed.' } })
    expect(link.close()).toBe(link.close())
    expect(() => link.duplicate()).toThrow(ConnectionError)
  })

  test.each([
    ['while a connection is retried', (server: TestServer) => server.kill()],
    ['while the server answers nothing', async (server: TestServer) => server.freeze()],
  ])('%s, rejects what waits', async (_case, stop) => {
    const { server, link } = await start()
    const unanswered = link.duplicate().blpop('list', 0)
    const lost = once(link, 'lost')
    await stop(server)
    if (_case.includes('retried')) await lost
    const waiting = link.client.get('a')
    const settled = Promise.allSettled([unanswered, waiting])
    await inTime(() => link.close())
    expect(await settled).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }])
  })
})

describe.skipIf(!redisProgram)('an instance of the caller', () => {
  test('is used as it is, and is as before when the link is closed', async () => {
    const server = await TestServer.start()
    const client = new Redis(server.path, { lazyConnect: true })
    onTestFinished(() => client.disconnect())
    const before = listeners(client)
    const link = await RedisLink.open(client)
    expect(link.client).toBe(client)
    const copy = link.duplicate() as Redis
    expect(copy.options.maxRetriesPerRequest).toBeNull()
    expect(await copy.ping()).toBe('PONG')
    await link.close()
    expect(listeners(client)).toEqual(before)
    expect(await client.ping()).toBe('PONG')
    expect((await client.client('LIST')) as string).toMatch(/^[^\n]*\n$/)
  })

  test('that cannot connect is left to its owner, with no listener more', async () => {
    const client = new Redis('/no/such/redis.sock', { lazyConnect: true })
    onTestFinished(() => client.disconnect())
    client.on('error', () => {})
    const before = listeners(client)
    const opened = RedisLink.open(client, { connectTimeout: 2000 })
    await expect(opened).rejects.toThrow(/unix:\/\/\/no\/such\/redis.sock: there is no such socket/)
    expect(listeners(client)).toEqual(before)
    expect(client.status).not.toBe('end')
  })

  test('that its owner closes ends the link', async () => {
    const server = await TestServer.start()
    const client = new Redis(server.path)
    const link = await RedisLink.open(client)
    const failed = once(link, 'failed')
    await client.quit()
    expect((await failed)[0]).toBeInstanceOf(ConnectionError)
    await expect(RedisLink.open(client)).rejects.toThrow(/closed/)
  })

  test('has a descriptor that leads another process there', async () => {
    const server = await TestServer.start('--requirepass', 'p')
    const client = new Redis({ path: server.path, password: 'p', db: 2, retryStrategy: () => 5 })
    onTestFinished(() => client.disconnect())
    await using link = await RedisLink.open(client)
    await using other = await RedisLink.open(structuredClone(link.descriptor), { name: 'poolmq worker' })
    await link.client.set('a', '1')
    expect(await other.client.get('a')).toBe('1')
    expect(await other.client.client('GETNAME')).toBe('poolmq-worker')
  })
})

// Each script must end by itself, soon, and say nothing on stderr.
describe.skipIf(!redisProgram)('a process', () => {
  test('is not kept alive by an open link', async () => {
    const server = await TestServer.start()
    const { stdout } = await script(server.path, 'await link.client.ping(); await link.duplicate().ping()', 'keep')
    expect(stdout).toBe('')
  })

  test('is not kept alive by a link that is being retried', async () => {
    const server = await TestServer.start()
    const run = script(server.path, `console.log('open'); await new Promise((lost) => link.on('lost', lost))`, 'keep')
    run.child.stdout?.once('data', () => void server.kill())
    await run
  })

  test('has no handle of ours left after close', async () => {
    const server = await TestServer.start()
    const { stdout } = await script(server.path, 'const copy = link.duplicate(); await copy.ping(); await link.close()')
    expect(stdout).toBe('[]\n')
  })

  test('has no handle of ours left after a failure', async () => {
    const { stdout } = await script('redis://127.0.0.1:1', '')
    expect(stdout).toBe('ERR_POOL_CONNECTION\n[]\n')
  })
})

function script(option: ConnectionOption, body: string, anchor?: 'keep') {
  const code = `
    import { RedisLink } from ${JSON.stringify(module)}
    const anchor = setInterval(() => {}, 1e6)
    try {
      const link = await RedisLink.open(${JSON.stringify(option)})
      ${body}
    } catch (error) {
      console.log(error.code ?? error)
    }
    clearInterval(anchor)
    ${anchor ? '' : `setImmediate(() => console.log(JSON.stringify(process.getActiveResourcesInfo().filter((name) => !/Immediate|PipeWrap|TTYWrap/.test(name)))))`}
  `
  const started = promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { timeout: 60_000 })
  const checked = started.then(
    (result) => {
      expect(result.stderr).toBe('')
      return result
    },
    (error: ExecFileException) => {
      throw new Error(`the script did not end by itself: ${error.message}`, { cause: error })
    },
  )
  return Object.assign(checked, { child: started.child })
}

async function start(options?: RedisLinkOptions): Promise<{ server: TestServer; link: RedisLink }> {
  const server = await TestServer.start()
  const link = await RedisLink.open(server.path, options)
  onTestFinished(() => link.close())
  return { server, link }
}

/** Not after the 20 s in which a silent server is given up. */
async function inTime(action: () => Promise<void>): Promise<void> {
  const start = performance.now()
  await action()
  expect(performance.now() - start).toBeLessThan(15_000)
}

function listeners(client: Redis): Record<string, number> {
  const emitter: EventEmitter = client
  return Object.fromEntries(emitter.eventNames().map((name) => [String(name), emitter.listenerCount(name)]))
}
