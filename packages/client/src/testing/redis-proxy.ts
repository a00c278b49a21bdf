/**
 * The way from a test pool to its Redis: a port of this host that leads there, and that can be cut, or made long. What runs in
 * other processes takes it as well. It keeps no process alive.
 */
import { once } from 'node:events'
import { connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { SlowLane } from './slow-lane.js'

export class RedisProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Cuts that are not over. */
  #cuts = 0
  #delay = 0

  private constructor(target: NetConnectOpts) {
    this.#server = createServer((near) => this.#lead(near, target))
    this.#server.unref()
  }

  static async start(target: NetConnectOpts): Promise<RedisProxy> {
    const proxy = new RedisProxy(target)
    await once(proxy.#server.listen(0, '127.0.0.1'), 'listening')
    return proxy
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy of a test pool is closed')
    return address.port
  }

  /** Drops all connections, and each new one, for so many milliseconds. Resolves when new ones are let through. */
  async cut(duration: number): Promise<void> {
    this.#cuts++
    for (const socket of this.#sockets) socket.destroy()
    await delay(duration)
    this.#cuts--
  }

  /** From now on everything takes so many milliseconds longer, each way. */
  slow(milliseconds: number): void {
    this.#delay = milliseconds
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #lead(near: Socket, target: NetConnectOpts): void {
    if (this.#cuts > 0) {
      near.destroy()
      return
    }
    const far = connect(target)
    const both = [near, far] as const
    for (const [from, to] of [both, [far, near] as const]) {
      this.#sockets.add(from.unref())
      const lane = new SlowLane(from, to, () => this.#delay)
      from.on('error', () => undefined) // it is closed then
      from.on('close', () => {
        this.#sockets.delete(from)
        lane.end()
        to.destroy()
      })
    }
  }
}
