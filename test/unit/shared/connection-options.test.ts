import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { describeTarget, descriptorOf, parseConnectionOption } from '../../../packages/shared/src/connection-options.js'
import { ConnectionError } from '../../../packages/shared/src/errors.js'

afterEach(() => vi.unstubAllEnvs())

describe('addresses', () => {
  test.each<[string, RedisOptions]>([
    ['redis://localhost', { host: 'localhost', port: 6379 }],
    ['redis://127.0.0.1:7000/3', { host: '127.0.0.1', port: 7000, db: 3 }],
    ['redis://[::1]:7000', { host: '::1', port: 7000 }],
    ['redis://:s%40crt@h', { host: 'h', port: 6379, password: 's@crt' }],
    [
      'redis://ada:secret@h:1?db=2&family=6',
      { host: 'h', port: 1, username: 'ada', password: 'secret', db: 2, family: 6 },
    ],
    ['rediss://h.example', { host: 'h.example', port: 6379, tls: { servername: 'h.example' } }],
    ['rediss://10.0.0.1', { host: '10.0.0.1', port: 6379, tls: {} }],
    ['/run/redis.sock', { path: '/run/redis.sock' }],
    ['unix:///run/redis.sock?db=1', { path: '/run/redis.sock', db: 1 }],
  ])('%s', (address, options) => {
    expect(parseConnectionOption(address)).toEqual({ kind: 'server', options })
  })

  test.each([
    ['http://h', /must begin with redis:\/\//],
    ['garbage', /must begin with redis:\/\//],
    ['localhost:6379', /must begin with redis:\/\//],
    ['', /must begin with redis:\/\//],
    ['redis://h:99999', /port above 65535/],
    ['redis://h:0', /no port 0/],
    ['redis://h/queue', /number of a database/],
    ['redis://h?connectTimeout=5', /unknown parameter "connectTimeout"/],
    ['redis://:100%@h', /%25/],
    ['redis://:a#b@h', /%23/],
  ])('%s is refused', (address, reason) => {
    expect(() => parseConnectionOption(address)).toThrow(ConnectionError)
    expect(() => parseConnectionOption(address)).toThrow(reason)
  })

  test.each([
    'http://ada:secret@h',
    'redis://:secret@h:99999',
    'redis://:se/cret@h',
    'redis://:secret%@h',
    'ada:secret@h',
  ])('a refused address is shown without its password: %s', (address) => {
    const error = thrownBy(() => parseConnectionOption(address))
    expect(`${error.message} ${error.stack} ${String(error.cause)}`).not.toMatch(/secret|se\/cret/)
  })

  test('REDIS_URL stands in for a missing option, and is named when it is wrong', () => {
    vi.stubEnv('REDIS_URL', 'redis://h:7000')
    expect(parseConnectionOption(undefined)).toEqual({ kind: 'server', options: { host: 'h', port: 7000 } })
    vi.stubEnv('REDIS_URL', 'h:7000')
    expect(() => parseConnectionOption(undefined)).toThrow(/^REDIS_URL is not an address/)
    vi.stubEnv('REDIS_URL', '')
    expect(parseConnectionOption(undefined)).toEqual({ kind: 'embedded' })
  })
})

describe('options', () => {
  test.each([null, 6379, true, () => {}])('%s is a TypeError', (option) => {
    expect(() => parseConnectionOption(option as never)).toThrow(TypeError)
  })

  test.each([
    [{ port: 70_000 }, /connection.port must be a whole number from 1 to 65535, got 70000/],
    [{ db: -1 }, /connection.db/],
    [{ host: '' }, /connection.host/],
    [{ sentinels: [] }, /connection.sentinels/],
    [{ sentinels: [{ host: 'h' }] }, /name of the master/],
    [{ cluster: [] }, /connection.cluster/],
    [{ keyPrefix: 'x:' }, /keyPrefix "x:"/],
    [{ stringNumbers: true }, /stringNumbers/],
    [{ replyMapping: 'resp3' as const }, /replyMapping/],
    [{ cluster: [{ host: 'h' }], redisOptions: { keyPrefix: 'x:' } }, /keyPrefix "x:"/],
  ])('%j is refused', (option, reason) => {
    expect(() => parseConnectionOption(option)).toThrow(reason)
  })

  test('an ioredis instance is refused with settings that cannot work', () => {
    const of = (options: object) => new Redis({ lazyConnect: true, ...options } as { lazyConnect: true })
    expect(() => parseConnectionOption(of({ keyPrefix: 'x:' }))).toThrow(/given ioredis instance with keyPrefix/)
    expect(() => parseConnectionOption(of({ enableOfflineQueue: false }))).toThrow(/enableOfflineQueue/)
    expect(() => parseConnectionOption(new Cluster([], { lazyConnect: true, keyPrefix: 'x:' }))).toThrow(/keyPrefix/)
    expect(parseConnectionOption(of({}))).toMatchObject({ kind: 'client' })
  })

  test('messages name the target without its password', () => {
    const name = (option: Parameters<typeof parseConnectionOption>[0]) => describeTarget(parseConnectionOption(option))
    expect(name('rediss://ada:secret@h:7000/3')).toBe('rediss://ada:***@h:7000/3')
    expect(name('/run/redis.sock')).toBe('unix:///run/redis.sock')
    expect(name({ sentinels: [{ host: 's' }], name: 'm', password: 'secret' })).toBe(
      'the master "m" of the sentinels s:26379',
    )
    expect(name({ cluster: ['redis://:secret@a:1', { host: 'b' }] })).toBe('the cluster redis://***@a:1, b:6379')
  })
})

describe('descriptors', () => {
  test('of an instance: cloneable, without functions, with certificates and sentinels', () => {
    const client = new Redis({
      lazyConnect: true,
      connectionName: 'mine',
      sentinels: [{ host: 's', port: 1 }],
      name: 'm',
      tls: { ca: Buffer.from('CA'), checkServerIdentity: () => undefined },
      retryStrategy: () => 1,
    })
    const descriptor = structuredClone(descriptorOf(client))
    expect(descriptor).toMatchObject({ kind: 'server', options: { name: 'm', sentinels: [{ host: 's', port: 1 }] } })
    const options = descriptor.options as RedisOptions
    expect(Buffer.from(options.tls?.ca as Uint8Array).toString()).toBe('CA')
    expect(options.tls).not.toHaveProperty('checkServerIdentity')
    expect(options).not.toHaveProperty('connectionName')
    expect(parseConnectionOption(descriptor)).toEqual(descriptor)
  })

  test('of a Cluster: the nodes to begin with, and its options', () => {
    const nodes = [{ host: 'a', port: 1 }, 'redis://b:2']
    const cluster = new Cluster(nodes, {
      lazyConnect: true,
      redisOptions: { password: 'p' },
      natMap: { 'a:1': nodes[0] as never },
    })
    const descriptor = structuredClone(descriptorOf(cluster))
    expect(descriptor).toMatchObject({ kind: 'cluster', nodes, options: { redisOptions: { password: 'p' } } })
  })
})

function thrownBy(call: () => unknown): Error {
  try {
    call()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}
