// The first connection: it succeeds, or fails once, in time, with an error that says what to do.
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ConnectionError } from '../../packages/shared/src/errors/errors.js'
import type { ConnectionOption } from '../../packages/shared/src/redis/connection-options.js'
import { assertServer, RedisLink, type RedisLinkOptions } from '../../packages/shared/src/redis/redis-link.js'
import { makeCertificate } from '../support/certificate.js'
import { freePorts } from '../support/redis-process.js'
import { listen, redisProgram, TestServer } from './connection-server.js'

/** Milliseconds: less than the 4500 after which a server that does not answer is given up. */
const atOnce = 4400

const quiet = { error: vi.spyOn(console, 'error'), warn: vi.spyOn(console, 'warn') }
beforeEach(() => vi.clearAllMocks())
afterEach(() => {
  expect(quiet.error).not.toHaveBeenCalled()
  expect(quiet.warn).not.toHaveBeenCalled()
})

describe('what answers is not a usable Redis', () => {
  test.each<[string, ConnectionOption, RegExp]>([
    ['nothing listens', 'redis://127.0.0.1:1', /redis:\/\/127.0.0.1:1: nothing listens there \(ECONNREFUSED\)/],
    ['nothing listens, by name', 'redis://localhost:1', /nothing listens there/],
    ['no such host', 'redis://no-such-host.invalid', /host name does not resolve \(ENOTFOUND\)/],
    ['no such socket', '/no/such/redis.sock', /no such socket \(ENOENT\)/],
    ['no cluster node', { cluster: [{ host: '127.0.0.1', port: 1 }] }, /cluster 127.0.0.1:1: nothing listens there/],
    ['no sentinel', { sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'm' }, /no sentinel named the master/],
  ])('%s', async (_case, option, message) => {
    const { error, took } = await refusal(option)
    expect(error.message).toMatch(message)
    expect(took).toBeLessThan(atOnce)
  })

  test('a server that accepts and never answers: one time limit, and only one try', async () => {
    let connections = 0
    const port = await listen(
      createServer((socket) => {
        connections++
        socket.resume()
      }),
    )
    const { error, took } = await refusal(`redis://:secret@127.0.0.1:${port}`)
    expect(error.message).toMatch(/it does not answer \(no answer within 4500 ms\)/)
    expect(error.message).not.toContain('secret')
    expect(took).toBeGreaterThan(atOnce)
    expect(took).toBeLessThan(2 * 4500)
    expect(connections).toBe(1)
  })

  test.each<[string, (port: number) => ConnectionOption]>([
    ['over TLS', (port) => `rediss://127.0.0.1:${port}`],
    ['as a cluster', (port) => ({ cluster: [{ host: '127.0.0.1', port }] })],
    ['as a sentinel', (port) => ({ sentinels: [{ host: '127.0.0.1', port }], name: 'm' })],
  ])('a silent server, %s', async (_case, option) => {
    const { error, took } = await refusal(option(await listen()), { connectTimeout: 300 })
    expect(error.message).toMatch(/does not answer|no sentinel named/)
    expect(took).toBeLessThan(atOnce)
  })

  test('an HTTP server, a server that greets, one that hangs up', async () => {
    const http = await listen(createHttpServer((_request, response) => response.end()))
    expect((await refusal(`redis://127.0.0.1:${http}`)).error.message).toMatch(/not Redis/)
    const greeting = await listen(createServer((socket) => void socket.on('error', () => {}).write('SSH-2.0-x\r\n')))
    expect((await refusal(`redis://127.0.0.1:${greeting}`)).error.message).toMatch(/not Redis/)
    const closing = await listen(createServer((socket) => socket.destroy()))
    expect((await refusal(`redis://127.0.0.1:${closing}`)).error.message).toMatch(/closed the connection at once .*TLS/)
  })
})

describe.skipIf(!redisProgram)('a Redis that refuses', () => {
  test('passwords: none given, a wrong one, the right one', async () => {
    const { path } = await TestServer.start('--requirepass', 'right')
    expect((await refusal(path)).error.message).toMatch(/it needs a password/)
    const { error, took } = await refusal({ path, password: 'wr0ng' })
    expect(error.message).toMatch(/user name or password are wrong \(WRONGPASS/)
    expect(took).toBeLessThan(atOnce)
    // ioredis hangs the command, with the password, on its error.
    expect(JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause))).not.toContain('wr0ng')
    await using link = await RedisLink.open({ path, password: 'right' })
    expect(await link.client.ping()).toBe('PONG')
  })

  test('a database that does not exist is not taken for database 0', async () => {
    const { path } = await TestServer.start()
    expect((await refusal({ path, db: 99 })).error.message).toMatch(/it has no such database/)
  })

  test('a read-only replica', async () => {
    const { path } = await TestServer.start('--replicaof', '127.0.0.1 1', '--replica-serve-stale-data', 'yes')
    expect((await refusal(path)).error.message).toMatch(/read-only replica .*Connect to the master/)
  })

  test('one that is no cluster', async () => {
    const port = await freePort()
    await TestServer.start('--port', String(port))
    const { error } = await refusal({ cluster: [{ host: '127.0.0.1', port }] })
    expect(error.message).toMatch(/it is not a cluster/)
  })

  test('one that is loading its data: waited for, then named', async () => {
    const server = await TestServer.start(
      '--key-load-delay',
      '20000',
      '--rdbcompression',
      'no',
      '--loading-process-events-interval-bytes',
      '1024',
    )
    const link = await RedisLink.open(server.path)
    await link.client.eval("for i = 1, 300 do redis.call('set', i, string.rep('x', 500)) end", 0)
    await link.client.save()
    await link.close()
    await server.kill()
    await server.startLoading()
    expect((await refusal(server.path, { connectTimeout: 1500 })).error.message).toMatch(
      /still loading its data after 1500 ms/,
    )
    await using loaded = await RedisLink.open(server.path, { connectTimeout: 30_000 })
    expect(await loaded.client.strlen('300')).toBe(500)
  })

  test('TLS: each side without it, an unknown certificate, the right one', async () => {
    const server = await TestServer.start()
    const { cert, settings } = await makeCertificate(server.directory)
    const [plain, secure] = (await freePorts(2)) as [number, number]
    await TestServer.start('--port', String(plain), '--tls-port', String(secure), ...settings)
    expect((await refusal(`rediss://localhost:${plain}`, { connectTimeout: 3000 })).error.message).toMatch(
      /over TLS.*Use redis/,
    )
    expect((await refusal(`redis://localhost:${secure}`)).error.message).toMatch(/TLS/)
    expect((await refusal(`rediss://localhost:${secure}`)).error.message).toMatch(/certificate is not trusted/)
    await using link = await RedisLink.open({ host: 'localhost', port: secure, tls: { ca: readFileSync(cert) } })
    await using other = await RedisLink.open(structuredClone(link.descriptor))
    expect(await other.client.ping()).toBe('PONG')
  })
})

describe.skipIf(!redisProgram)('what is asked of a server', () => {
  test('a policy that drops keys is a warning', async () => {
    const { path } = await TestServer.start()
    await using link = await RedisLink.open(path)
    expect(await assertServer(link)).toBeUndefined()
    await link.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    expect(await assertServer(link)).toMatch(/maxmemory-policy allkeys-lru/)
  })

  test('an old version is an error', async () => {
    const { path } = await TestServer.start()
    await using link = await RedisLink.open(path)
    vi.spyOn(link.client, 'info').mockResolvedValue('redis_version:6.0.16\r\n')
    await expect(assertServer(link)).rejects.toThrow(/PoolMQ needs Redis 6.2 or later; unix:.* is 6.0.16/)
  })

  test('a Cluster, from its option, its instance and their descriptors', async () => {
    const port = await freePort()
    const server = await TestServer.start(
      '--port',
      String(port),
      '--cluster-enabled',
      'yes',
      '--cluster-announce-ip',
      '127.0.0.1',
    )
    await using admin = await RedisLink.open(server.path)
    await admin.client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await vi.waitFor(
      async () => expect(await admin.client.call('CLUSTER', 'INFO')).toContain('cluster_state:ok'),
      10_000,
    )
    await using link = await RedisLink.open({ cluster: [{ host: '127.0.0.1', port }] })
    await using other = await RedisLink.open(structuredClone(link.descriptor))
    await using third = await RedisLink.open(link.client)
    await other.client.set('{a}b', '1')
    expect(await third.client.get('{a}b')).toBe('1')
    expect(await third.duplicate().blpop('{a}list', 0.01)).toBeNull()
    expect(third.descriptor).toMatchObject({ kind: 'cluster', nodes: [{ host: '127.0.0.1', port }] })
    expect(await assertServer(link)).toBeUndefined()
  })
})

async function refusal(option: ConnectionOption, options?: RedisLinkOptions): Promise<{ error: Error; took: number }> {
  const start = performance.now()
  const error = await RedisLink.open(option, options).catch((thrown: Error) => thrown)
  if (!(error instanceof ConnectionError)) throw new Error('no ConnectionError', { cause: error })
  expect(error.code).toBe('ERR_POOL_CONNECTION')
  return { error, took: performance.now() - start }
}

const freePort = async () => (await freePorts(1))[0] as number
