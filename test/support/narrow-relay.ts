/** A way to the tests' Redis that lets the first connection through and holds all later ones without an answer. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { redisUrl } from './redis-database.js'
import { until } from './until.js'

export class NarrowRelay implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Connections that wait for an answer. */
  held = 0

  private constructor() {
    const { hostname, port } = new URL(redisUrl())
    let first = true
    this.#server = createServer((near) => {
      this.#sockets.add(near.on('error', () => undefined))
      if (!first) {
        near.resume()
        this.held++
        return
      }
      first = false
      const far = connect({ host: hostname, port: Number(port || 6379) })
      this.#sockets.add(far.on('error', () => near.destroy()))
      near.pipe(far).pipe(near)
    })
  }

  static async start(): Promise<NarrowRelay> {
    const relay = new NarrowRelay()
    await once(relay.#server.listen(0, '127.0.0.1'), 'listening')
    return relay
  }

  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the relay has no port')
    const url = new URL(redisUrl())
    url.host = `127.0.0.1:${address.port}`
    return url.href
  }

  /** Resolves when so many connections are held. */
  async holds(count: number): Promise<void> {
    await until(
      'connections are held',
      () => this.held,
      (held) => held >= count,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
