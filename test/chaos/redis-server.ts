/**
 * A Redis server of a test's own that bears ill-treatment: killed and started again with what its AOF has kept, stopped,
 * thrown off all its connections. It listens on a socket in a directory that goes with it.
 */
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { RedisProcess, TemporaryDirectory } from '../support/redis-process.js'

export class RedisServer implements AsyncDisposable {
  readonly #directory = new TemporaryDirectory('chaos')
  readonly path = join(this.#directory.path, 'redis.sock')
  readonly url = `unix://${this.path}`
  readonly #program: string
  readonly #settings: readonly string[]
  /** What an administrator must say first: `AUTH` and its arguments. */
  readonly #login: readonly string[]
  #process: RedisProcess | undefined

  private constructor(program: string, settings: readonly string[], login: readonly string[]) {
    this.#program = program
    this.#settings = settings
    this.#login = login
  }

  /** @param settings - as on the command line: `'--appendonly', 'yes'` */
  static async start(
    program: string,
    settings: readonly string[] = [],
    login: readonly string[] = [],
  ): Promise<RedisServer> {
    const server = new RedisServer(program, settings, login)
    await server.start()
    return server
  }

  get directory(): string {
    return this.#directory.path
  }

  /** Resolves when it takes commands, with its data loaded. */
  async start(): Promise<void> {
    const own = ['--port', '0', '--unixsocket', this.path, '--dir', this.directory, '--save', '']
    this.#process = await RedisProcess.start(this.#program, [...own, ...this.#settings], this.directory)
  }

  /** As the loss of power does. */
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

  /** Drops every connection. */
  async dropConnections(): Promise<void> {
    await this.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  }

  /** The answer to one command, on a connection for it alone. */
  async ask(command: string, ...args: (string | number)[]): Promise<unknown> {
    const client = new Redis(this.path, { lazyConnect: true, retryStrategy: null, enableReadyCheck: false })
    client.on('error', () => undefined) // the command rejects
    try {
      await client.connect()
      const [login, ...secrets] = this.#login
      if (login !== undefined) await client.call(login, secrets)
      return await client.call(command, args)
    } finally {
      client.disconnect()
    }
  }

  /** The names of all keys. */
  async keys(): Promise<string[]> {
    return (await this.ask('KEYS', '*')) as string[]
  }

  /** All keys with the milliseconds they have to live; -1: for ever. */
  async lives(): Promise<Record<string, number>> {
    const names = await this.keys()
    const ask = "local t = {} for i, key in ipairs(KEYS) do t[i] = redis.call('PTTL', key) end return t"
    const lives = (await this.ask('EVAL', ask, names.length, ...names)) as number[]
    const known = names.map((name, i) => [name, lives[i] as number] as const)
    return Object.fromEntries(known.filter(([, life]) => life !== -2))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    this.#directory[Symbol.dispose]()
  }
}
