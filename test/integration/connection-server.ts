// Redis servers of a connection test's own, on sockets in a directory that goes with them: to be stopped, killed,
// started again, protected by passwords.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { inject, onTestFinished } from 'vitest'

export const redisProgram = inject('redisProgram')

/** A server that can be stopped and started again at the same address; it ends with the test. */
export class TestServer {
  readonly path: string
  readonly directory: string
  readonly #settings: readonly string[]
  #child: ChildProcess | undefined

  private constructor(directory: string, settings: readonly string[]) {
    this.directory = directory
    this.path = join(directory, 'redis.sock')
    this.#settings = settings
  }

  static async start(...settings: readonly string[]): Promise<TestServer> {
    const server = new TestServer(await mkdtemp(join(tmpdir(), 'poolmq-link-')), settings)
    onTestFinished(async () => {
      await server.kill()
      await rm(server.directory, { recursive: true, force: true })
    })
    await server.start()
    return server
  }

  /** Resolves when it takes connections, while it loads what was saved. */
  startLoading(): Promise<void> {
    return this.start(/Server initialized/)
  }

  async start(sign = /ready to accept connections/i): Promise<void> {
    const own = ['--port', '0', '--unixsocket', this.path, '--dir', this.directory, '--save', '']
    const child = spawn(redisProgram, [...own, ...this.#settings], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    const ready = deferred()
    createInterface(child.stdout).on('line', (line) => {
      if (sign.test(line)) ready.resolve()
    })
    child.once('exit', () => ready.reject(new Error('the test server ended before it was ready')))
    await ready.promise
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  /** Stopped, it holds its connections and never answers. */
  freeze(): void {
    this.#child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child?.kill('SIGCONT')
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

function deferred() {
  let resolve!: () => void
  let reject!: (error: Error) => void
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
