// Redis servers of a connection test's own, on sockets in a directory that goes with them: to be stopped, killed,
// started again, protected by passwords.
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { inject, onTestFinished } from 'vitest'
import { RedisProcess, TemporaryDirectory } from '../support/redis-process.js'

export const redisProgram = inject('redisProgram')

/** A server that can be stopped and started again at the same address; it ends with the test. */
export class TestServer {
  readonly path: string
  readonly directory: string
  readonly #settings: readonly string[]
  #process: RedisProcess | undefined

  private constructor(directory: string, settings: readonly string[]) {
    this.directory = directory
    this.path = join(directory, 'redis.sock')
    this.#settings = settings
  }

  static async start(...settings: readonly string[]): Promise<TestServer> {
    const directory = new TemporaryDirectory('link')
    const server = new TestServer(directory.path, settings)
    onTestFinished(async () => {
      await server.kill()
      directory[Symbol.dispose]()
    })
    await server.start()
    return server
  }

  /** Resolves when it takes connections, while it loads what was saved. */
  startLoading(): Promise<void> {
    return this.start(/Server initialized/)
  }

  async start(sign?: RegExp): Promise<void> {
    const own = ['--port', '0', '--unixsocket', this.path, '--dir', this.directory, '--save', '']
    this.#process = await RedisProcess.start(redisProgram, [...own, ...this.#settings], this.directory, sign)
  }

  async kill(): Promise<void> {
    await this.#process?.kill()
  }

  /** Stopped, it holds its connections and never answers. */
  freeze(): void {
    this.#process?.freeze()
  }

  thaw(): void {
    this.#process?.thaw()
  }
}

/** A TCP server of the test's own making, on a free port, closed with the test. */
export async function listen(
  server: Server = createServer((socket) => socket.on('error', () => {}).resume()),
): Promise<number> {
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port')
  return address.port
}
