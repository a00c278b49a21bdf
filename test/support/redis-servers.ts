/**
 * Redis as people run it: one server, behind a password and an ACL, over TLS, a master with its sentinels, a cluster of
 * three masters. Each is made of real processes, and says how a client names it, how `poolmq worker` names it, and what
 * keys it holds.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ConnectionOption } from '@poolmq/client'
import { Redis, type RedisOptions } from 'ioredis'
import { makeCertificate } from './certificate.js'
import { freePorts, output, RedisProcess, TemporaryDirectory } from './redis-process.js'
import { until } from './until.js'

/** What a pool needs at least, and what `docs/deploy.md` says. */
const acl = ['~poolmq:*', '-@all', '+@read', '+@write', '+@connection', '+@transaction', '+@scripting']
const others = ['-@dangerous', '+info', '+time']

export class RedisServers implements AsyncDisposable {
  readonly #owned: (AsyncDisposable | Disposable)[] = []
  readonly #program: string
  /** How a client names it. */
  connection: ConnectionOption = ''
  /** How a command line names it. */
  address = ''
  /** What the environment of a command must say. */
  env: NodeJS.ProcessEnv = {}
  /** Ends the server that is the master now. */
  loseMaster: () => Promise<void> = () => Promise.reject(new Error('there is no other'))
  #nodes: readonly RedisOptions[] = []

  private constructor(program: string) {
    this.#program = program
  }

  static async single(program: string): Promise<RedisServers> {
    const servers = new RedisServers(program)
    const port = await servers.#server([])
    servers.address = `redis://127.0.0.1:${port}`
    servers.connection = servers.address
    servers.#nodes = [{ port }]
    return servers
  }

  /** A user that may use nothing but PoolMQ's keys, with a password that an address must escape. */
  static async protected(program: string): Promise<RedisServers> {
    const servers = new RedisServers(program)
    const user = ['--user', 'ada', 'on', '>p@ss/w:rd', 'resetchannels', ...acl, ...others]
    const port = await servers.#server(['--requirepass', 'root', ...user])
    servers.address = `redis://ada:p%40ss%2Fw%3Ard@127.0.0.1:${port}`
    servers.connection = { host: '127.0.0.1', port, username: 'ada', password: 'p@ss/w:rd' }
    servers.#nodes = [{ port, password: 'root' }]
    return servers
  }

  /** With a certificate that only its own authority, itself, has signed. */
  static async tls(program: string): Promise<RedisServers> {
    const servers = new RedisServers(program)
    const directory = servers.#own(new TemporaryDirectory('servers')).path
    const { cert, settings } = await makeCertificate(directory)
    const [port = 0] = await freePorts(1)
    await servers.#server(['--tls-port', String(port), ...settings], 0)
    servers.address = `rediss://127.0.0.1:${port}`
    servers.connection = { host: '127.0.0.1', port, tls: { ca: readFileSync(cert) } }
    servers.env = { NODE_EXTRA_CA_CERTS: cert }
    servers.#nodes = [{ port, tls: { ca: readFileSync(cert) } }]
    return servers
  }

  /**
   * A master, its replica, and three sentinels of which two suffice to replace it.
   *
   * @param downAfter - milliseconds of silence after which they replace it; a busy machine is silent for some
   */
  static async sentinel(program: string, downAfter = 15_000): Promise<RedisServers> {
    const servers = new RedisServers(program)
    const [first = 0, second = 0, ...sentinels] = await freePorts(5)
    const { path } = servers.#own(new TemporaryDirectory('servers'))
    const master = await servers.#start(servers.#settings(first, path))
    await servers.#start([...servers.#settings(second, path), '--replicaof', '127.0.0.1', String(first)])
    for (const port of sentinels) {
      const file = join(path, `sentinel-${port}.conf`)
      writeFileSync(file, sentinelSettings(port, first, downAfter))
      const args = [file, '--sentinel']
      servers.#own(await RedisProcess.start(program, args, path, /Sentinel ID is/))
    }
    const [one = 0] = sentinels
    const replicas = () => ask({ port: one }, 'SENTINEL', 'MASTER', 'main').then((reply) => pairs(reply))
    const known = (facts: Map<string, string>) =>
      facts.get('num-slaves') === '1' && facts.get('num-other-sentinels') === '2'
    await until('the sentinels know each other', replicas, known, 20_000)
    const hosts = sentinels.map((port) => ({ host: '127.0.0.1', port }))
    servers.address = `redis-sentinel://${hosts.map(({ host, port }) => `${host}:${port}`).join(',')}/main/0`
    servers.connection = { sentinels: hosts, name: 'main' }
    servers.#nodes = [{ port: first }]
    servers.loseMaster = async () => {
      servers.#nodes = [{ port: second }]
      await master.kill()
    }
    return servers
  }

  static async cluster(program: string): Promise<RedisServers> {
    const servers = new RedisServers(program)
    const ports = await freePorts(3)
    for (const port of ports) {
      await servers.#server(['--cluster-enabled', 'yes', '--cluster-node-timeout', '15000'], port)
    }
    const nodes = ports.map((port) => ({ host: '127.0.0.1', port }))
    const list = nodes.map(({ host, port }) => `${host}:${port}`)
    await output(join(dirname(program), 'redis-cli'), ['--cluster', 'create', ...list, '--cluster-yes'])
    const states = () => Promise.all(nodes.map(({ port }) => ask({ port }, 'CLUSTER', 'INFO')))
    await until('the cluster is up', states, (all) => all.every((info) => String(info).includes('cluster_state:ok')))
    servers.address = `redis-cluster://${list.join(',')}`
    servers.connection = { cluster: nodes }
    servers.#nodes = nodes
    return servers
  }

  /** The names of all keys, whosever they are. */
  async keys(): Promise<string[]> {
    const found = await Promise.all(this.#nodes.map((node) => ask(node, 'KEYS', '*')))
    return found.flat().map(String)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#owned.splice(0).reverse()) {
      if (Symbol.asyncDispose in one) await one[Symbol.asyncDispose]()
      else one[Symbol.dispose]()
    }
  }

  #own<T extends AsyncDisposable | Disposable>(one: T): T {
    this.#owned.push(one)
    return one
  }

  async #server(settings: readonly string[], given?: number): Promise<number> {
    const { path } = this.#own(new TemporaryDirectory('servers'))
    const port = given ?? (await freePorts(1))[0] ?? 0
    await this.#start([...this.#settings(port, path), ...settings])
    return port
  }

  async #start(args: readonly string[]): Promise<RedisProcess> {
    return this.#own(await RedisProcess.start(this.#program, args, '/'))
  }

  #settings(port: number, directory: string): string[] {
    const own = { port, bind: '127.0.0.1', dir: directory, save: '', 'maxmemory-policy': 'noeviction' }
    return Object.entries(own).flatMap(([name, value]) => [`--${name}`, String(value)])
  }
}

/** One command's reply, on a connection for it alone. */
async function ask(node: RedisOptions, command: string, ...args: string[]): Promise<unknown> {
  const client = new Redis({
    ...node,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: null,
    enableReadyCheck: false,
    // The type of a client depends on it.
    replyMapping: 'legacy',
  })
  client.on('error', () => undefined) // the command rejects
  try {
    await client.connect()
    return await client.call(command, args)
  } finally {
    client.disconnect()
  }
}

function pairs(reply: unknown): Map<string, string> {
  const list = (reply as unknown[]).map(String)
  return new Map(list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1] ?? ''] as const] : [])))
}

const sentinelSettings = (port: number, master: number, downAfter: number) => `port ${port}
bind 127.0.0.1
sentinel monitor main 127.0.0.1 ${master} 2
sentinel down-after-milliseconds main ${downAfter}
sentinel failover-timeout main 5000
`
