import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ConnectionError } from '../../../../packages/shared/src/errors/errors.js'
import {
  describeTarget,
  descriptorOf,
  parseConnectionOption,
} from '../../../../packages/shared/src/redis/connection-options.js'

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

  const login = { username: 'ada', password: 's@crt' }
  const over = { tls: {}, enableTLSForSentinelMode: true, sentinelTLS: {} }
  const two = [
    { host: 'a', port: 26379 },
    { host: '::1', port: 7 },
  ]
  test.each<[string, RedisOptions]>([
    ['redis-sentinel://a,[::1]:7/m', { sentinels: two, name: 'm' }],
    ['redis-sentinel://ada:s%40crt@a,[::1]:7/my%20m/3', { sentinels: two, name: 'my m', db: 3, ...login }],
    ['rediss-sentinel://:s%40crt@a,[::1]:7/m/0', { sentinels: two, name: 'm', db: 0, password: 's@crt', ...over }],
    [
      'redis-sentinel://a,[::1]:7/m?sentinelUsername=eve&sentinelPassword=x%26y&family=6',
      { sentinels: two, name: 'm', sentinelUsername: 'eve', sentinelPassword: 'x&y', family: 6 },
    ],
  ])('a master by its sentinels: %s', (address, options) => {
    expect(parseConnectionOption(address)).toEqual({ kind: 'server', options })
  })

  test.each<[string, object[], RedisOptions]>([
    ['redis-cluster://a', [{ host: 'a', port: 6379 }], {}],
    [
      'redis-cluster://a:7000,b:7001',
      [
        { host: 'a', port: 7000 },
        { host: 'b', port: 7001 },
      ],
      {},
    ],
    ['REDISS-CLUSTER://ada:s%40crt@10.0.0.1:7000/', [{ host: '10.0.0.1', port: 7000 }], { ...login, tls: {} }],
  ])('a cluster by its nodes: %s', (address, nodes, redisOptions) => {
    expect(parseConnectionOption(address)).toEqual({ kind: 'cluster', nodes, options: { redisOptions } })
  })

  test.each([
    ['redis-sentinel://a:26379', /name of the master/],
    ['redis-sentinel://a/m/x', /number of a database/],
    ['redis-sentinel://a/m/0/1', /name of the master/],
    ['redis-sentinel://a/m?db=1', /unknown parameter "db"/],
    ['redis-cluster://', /host:port,host:port/],
    ['redis-cluster://a,,b', /host:port,host:port/],
    ['redis-cluster://a:99999', /from 1 to 65535/],
    ['redis-cluster://a:0', /from 1 to 65535/],
    ['redis-cluster://a/1', /no databases/],
    ['redis-cluster://:100%@a', /%25/],
    ['redis-cluster://:p@ss@a', /%40/],
    ['redis-clusters://a', /must begin with/],
  ])('%s is refused', (address, reason) => {
    expect(() => parseConnectionOption(address)).toThrow(ConnectionError)
    expect(() => parseConnectionOption(address)).toThrow(reason)
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
    'redis-cluster://ada:secret@a,b/1',
    'redis-sentinel://ada:se/cret@a,b',
    'redis-sentinel://a/m/x?sentinelPassword=secret',
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

describe('a socket whose path is longer than the system takes is refused', () => {
  const path = `/tmp/${'x'.repeat(110)}/redis.sock`
  test.each([
    ['an address', `unix://${path}`],
    ['a path', path],
    ['options', { path }],
  ])('as %s', (_what, option) => {
    expect(() => parseConnectionOption(option)).toThrow(
      /x\/redis\.sock": its path has 126 bytes.*at most 10\d.*shorter/,
    )
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
    expect(name('redis-sentinel://:secret@a,b:1/m')).toBe('the master "m" of the sentinels a:26379, b:1')
    expect(name('redis-cluster://:secret@a,b:1')).toBe('the cluster a:6379, b:1')
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
