/** What a test pool stands on: a private Redis, the way there, and a directory for orders. Opened and removed together. */
import { mkdtempSync, rmSync } from 'node:fs'
import type { NetConnectOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type EmbeddedLease, EmbeddedRedis } from '@poolmq/shared'
import { type Backend, redisBackend } from '../engine/backend.js'
import { FaultInjector } from './fault-injector.js'
import { KillOrders } from './kill-orders.js'
import { RedisProxy } from './redis-proxy.js'

export class TestSite {
  readonly url: string
  readonly faults: FaultInjector
  readonly #lease: EmbeddedLease | undefined
  readonly #proxy: RedisProxy
  readonly #orders: string
  #closed: Promise<void> | undefined

  private constructor(lease: EmbeddedLease | undefined, proxy: RedisProxy, orders: string, url: string) {
    this.#lease = lease
    this.#proxy = proxy
    this.#orders = orders
    this.url = url
    this.faults = new FaultInjector(new KillOrders(orders), proxy)
  }

  /** @param connection - a server that is there; a private one by default */
  static async open(connection: string | undefined): Promise<TestSite> {
    const server = connection === undefined ? undefined : serverOf(connection)
    const lease = server === undefined ? await EmbeddedRedis.acquire() : undefined
    try {
      const path = lease?.path ?? ''
      const proxy = await RedisProxy.start(server?.target ?? { path })
      // Beside the socket, where it goes with the server, whatever becomes of this process.
      const orders = mkdtempSync(join(lease === undefined ? tmpdir() : dirname(path), 'poolmq-orders-'))
      return new TestSite(lease, proxy, orders, server?.through(proxy.port) ?? `redis://127.0.0.1:${proxy.port}`)
    } catch (error) {
      await lease?.release()
      throw error
    }
  }

  /** A pool's own processes and session, with the faults in them. */
  get backend(): Backend {
    const hook = new URL('./kill-hook.js', import.meta.url)
    hook.searchParams.set('orders', this.#orders)
    const { faults } = this
    return {
      startWorkers: (start, ...about) => {
        const workers = redisBackend.startWorkers({ ...start, modules: [...start.modules, hook.href] }, ...about)
        return {
          load: (task) => workers.load(task),
          place: (content) => workers.place(content),
          // The way to Redis ends with this process, as an embedded one does: nobody need try to clean up behind it.
          start: ({ descriptor }, eager) => workers.start({ descriptor, isEmbedded: true }, eager),
          end: (how) => workers.end(how),
        }
      },
      openSession: (options) =>
        redisBackend.openSession({
          ...options,
          onLink: async (link) => {
            faults.connected(link)
            await options.onLink(link)
          },
          onEntry: (entry) => {
            faults.heard(entry, options.keys.results(options.clientId))
            options.onEntry(entry)
          },
        }),
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.faults.end()
    await this.#proxy.close()
    rmSync(this.#orders, { recursive: true, force: true })
    await this.#lease?.release()
  }
}

/** Where a server is, and its address by way of a port of this host. */
function serverOf(connection: string): {
  readonly target: NetConnectOpts
  readonly through: (port: number) => string
} {
  const url = URL.canParse(connection) ? new URL(connection) : undefined
  if (url?.protocol !== 'redis:' || url.hostname === '') {
    throw new TypeError(
      `connection must be redis://host:6379, a single server without TLS, that faults can be put before; got ${JSON.stringify(connection)}`,
    )
  }
  const target = { host: url.hostname, port: Number(url.port || 6379) }
  const through = (port: number) => {
    url.hostname = '127.0.0.1'
    url.port = String(port)
    return url.href
  }
  return { target, through }
}
