/**
 * A redis-server (or sentinel) of the tests' own: one process, started once. What runs the tests may end in any way: the
 * server and its directory go with it.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

export class RedisProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #said: string[] = []

  readonly #drop: () => void

  private constructor(program: string, args: readonly string[], directory: string) {
    this.#child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] })
    this.#drop = () => {
      this.#child.kill('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    }
    process.on('exit', this.#drop)
  }

  /**
   * Resolves when it has said that it is ready; rejects, with what it said, when it ends before that.
   *
   * @param directory - where it runs
   */
  static async start(
    program: string,
    args: readonly string[],
    directory: string,
    ready = /ready to accept connections/i,
  ): Promise<RedisProcess> {
    const redis = new RedisProcess(program, args, directory)
    await new Promise<void>((resolve, reject) => {
      const failed = () => reject(new Error(`${program} ended before it was ready:\n${redis.#said.join('\n')}`))
      redis.#child.once('error', reject).once('exit', failed)
      if (redis.#child.stdout === null) return
      createInterface(redis.#child.stdout).on('line', (line) => {
        if (redis.#said.length < 100) redis.#said.push(line)
        if (ready.test(line)) resolve()
      })
    })
    return redis
  }

  /** As the loss of its host does. */
  async kill(): Promise<void> {
    process.off('exit', this.#drop)
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  /** Stopped, it holds its connections and never answers. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }
}

/** A directory that is removed when the scope ends. */
export class TemporaryDirectory implements Disposable {
  readonly path: string

  constructor(purpose: string) {
    this.path = mkdtempSync(join(tmpdir(), `poolmq-${purpose}-`))
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** Ports that nothing listens on, and whose cluster bus (10,000 above) is a port as well. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count * 3 }, () => createServer().listen(0, '127.0.0.1'))
  const ports = await Promise.all(
    servers.map(async (server) => {
      if (!server.listening) await once(server, 'listening')
      return (server.address() as { port: number }).port
    }),
  )
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports.filter((port) => port <= 55_000).slice(0, count)
}

/** What a program prints; rejects, with what it said, when it fails. */
export async function output(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, [...args], { cwd, timeout: 30_000 })
  return stdout.trim()
}
