/**
 * Reads addresses of Redis: of a server, of a master by its sentinels, of a cluster by some of its nodes. Everything that
 * is not understood is refused, with what to write instead, and without the password.
 *
 * | address | what it leads to |
 * | --- | --- |
 * | `redis://user:password@host:6379/0` | a server, and the number of its database |
 * | `redis-sentinel://user:password@host:26379,host:26379/master/0` | the master that these sentinels name so |
 * | `redis-cluster://user:password@host:6379,host:6379` | a cluster, found through these nodes |
 * | `rediss://`, `rediss-sentinel://`, `rediss-cluster://` | the same over TLS |
 * | `unix:///path/to/redis.sock`, `/path/to/redis.sock` | a server's socket |
 */
import type { RedisOptions } from 'ioredis'
import { ConnectionError } from '../errors/errors.js'
import type { ConnectionDescriptor } from './connection-descriptor.js'

/** Makes the error of an address that cannot be used. */
type Wrong = (why: string) => Error

interface HostAndPort {
  readonly host: string
  readonly port: number
}

/**
 * @param source - what the address was given as
 * @throws ConnectionError
 */
export function parseAddress(text: string, source: string): ConnectionDescriptor {
  const wrong = (why: string) =>
    new ConnectionError(
      `${source} is not an address of Redis: ${why}, got ${JSON.stringify(redact(text))}. ` +
        'Use redis://user:password@host:6379/0, redis-sentinel://host:26379,host:26379/master, ' +
        'redis-cluster://host:6379,host:6379, rediss… for TLS, or unix:///path/to/redis.sock',
    )
  const socket = /^(?:unix:\/\/)?(\/(?!\/)[^?]*)(?:\?(.*))?$/s.exec(text)
  if (socket?.[1]) {
    return { kind: 'server', options: { path: socket[1], ...parseNumbers(socket[2], ['db'], wrong) } }
  }
  const many = /^redis(s?)-(sentinel|cluster):\/\/(.*)$/is.exec(text)
  if (many) return parseMany(many[3] ?? '', many[2]?.toLowerCase() === 'sentinel', many[1] !== '', wrong)
  if (!/^rediss?:\/\//i.test(text)) throw wrong('it must begin with redis://, rediss:// or unix:///')
  return { kind: 'server', options: parseServer(text, wrong) }
}

/** An address as it may be shown. */
export function redact(text: string): string {
  return text.replace(/^([a-z-]+:\/\/)?.*@/is, '$1***@').replace(/[?#].*$/s, '…')
}

function parseServer(text: string, wrong: Wrong): RedisOptions {
  let url: URL
  try {
    url = new URL(text)
  } catch (error) {
    // Node puts the whole address, with the password, on the error: it is not passed on.
    throw wrong(
      `${(error as Error).message} (a port above 65535, or / or # in the password, which are %2F and %23 there?)`,
    )
  }
  if (url.hash) throw wrong('it has a # (write %23 in a password)')
  const host = url.hostname.replace(/^\[|\]$/g, '') || 'localhost'
  const port = Number(url.port || 6379)
  if (port === 0) throw wrong('there is no port 0')
  return {
    host,
    port,
    ...credentials(url.username, url.password, wrong),
    ...database(url.pathname.slice(1), wrong),
    // tls.connect sends no server name by itself, and hosted services share an address.
    ...(url.protocol.toLowerCase() === 'rediss:' && { tls: /[a-z]/i.test(host) ? { servername: host } : {} }),
    ...parseNumbers(url.search, ['db', 'family'], wrong),
  }
}

/** `user:password@host:port,host:port/…`, which no URL parser reads. */
function parseMany(text: string, sentinel: boolean, tls: boolean, wrong: Wrong): ConnectionDescriptor {
  const parts = /^(?:([^@:/?#]*)(?::([^@/?#]*))?@)?([^@/?#]*)(?:\/([^?#@]*))?(?:\?([^#@]*))?$/s.exec(text)
  if (!parts) throw wrong('it is malformed (@, /, ? and # in a password are %40, %2F, %3F and %23)')
  const [, user = '', password = '', list = '', path = '', query] = parts
  const hosts = list.split(',').map((one) => parseHost(one, sentinel ? 26_379 : 6379, wrong))
  const secure = tls ? { tls: {} } : {}
  const login = credentials(user, password, wrong)
  if (!sentinel) {
    if (path !== '') throw wrong('a cluster has no databases to choose from')
    return {
      kind: 'cluster',
      nodes: hosts,
      options: { redisOptions: { ...login, ...secure, ...family(query, wrong) } },
    }
  }
  const [name = '', number = '', ...rest] = path.split('/')
  if (name === '' || rest.length > 0)
    throw wrong('the name of the master must follow the sentinels, as /name or /name/0')
  const options: RedisOptions = { sentinels: hosts, name: decoded(name, wrong), ...login, ...database(number, wrong) }
  if (tls) Object.assign(options, secure, { enableTLSForSentinelMode: true, sentinelTLS: {} })
  const { sentinelUsername, sentinelPassword, ...others } = Object.fromEntries(new URLSearchParams(query))
  if (sentinelUsername !== undefined) options.sentinelUsername = sentinelUsername
  if (sentinelPassword !== undefined) options.sentinelPassword = sentinelPassword
  return { kind: 'server', options: { ...options, ...family(new URLSearchParams(others).toString(), wrong) } }
}

function parseHost(text: string, otherwise: number, wrong: Wrong): HostAndPort {
  const [, v6, name, port = String(otherwise)] = /^(?:\[([\da-f:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/i.exec(text) ?? []
  const host = v6 ?? name
  if (host === undefined) throw wrong('hosts must be given as host:port,host:port')
  if (Number(port) < 1 || Number(port) > 65_535) throw wrong('ports are from 1 to 65535')
  return { host, port: Number(port) }
}

function credentials(user: string, password: string, wrong: Wrong): RedisOptions {
  return {
    ...(user && { username: decoded(user, wrong) }),
    ...(password && { password: decoded(password, wrong) }),
  }
}

function decoded(text: string, wrong: Wrong): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrong('user or password have a % that is no escape (write %25)')
  }
}

function database(text: string, wrong: Wrong): RedisOptions {
  if (!/^\d*$/.test(text)) throw wrong('what follows the host must be the number of a database')
  return text === '' ? {} : { db: Number(text) }
}

const family = (query: string | undefined, wrong: Wrong) => parseNumbers(query, ['family'], wrong)

// ioredis takes any option from an address, as a string, which it then misreads (`?connectTimeout=5` is no number).
function parseNumbers(query: string | undefined, known: readonly string[], wrong: Wrong): RedisOptions {
  const options: Record<string, number> = {}
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name)) throw wrong(`it has an unknown parameter "${name}" (pass options instead of an address)`)
    if (!/^\d+$/.test(value)) throw wrong(`${name} must be a number`)
    options[name] = Number(value)
  }
  return options
}
