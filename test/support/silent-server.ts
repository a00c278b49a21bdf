/** A server that takes connections and never answers, as a host behind a broken firewall does. */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'

export class SilentServer implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  /** Resolves when the first client has connected. */
  readonly reached: Promise<void>

  private constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket.resume().on('error', () => undefined))
    })
    this.reached = once(this.#server, 'connection').then(() => undefined)
    this.reached.catch(() => undefined)
  }

  static async start(): Promise<SilentServer> {
    const silent = new SilentServer()
    await once(silent.#server.listen(0, '127.0.0.1'), 'listening')
    return silent
  }

  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the server has no port')
    return `redis://127.0.0.1:${address.port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
