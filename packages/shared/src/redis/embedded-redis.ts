/**
 * A private Redis for a process that was given none: a `redis-server` or `valkey-server` found on PATH, on a Unix socket
 * in a directory of its own, without a TCP port and without persistence. All pools of the process share one; it stops
 * when the last one lets go, and the next one starts another.
 *
 * It never outlives the process: a shell holds one end of a pipe of ours, and when the pipe ends, for whatever reason
 * (SIGKILL too), it kills the server and removes the directory. It makes the directory as well, so that there is none
 * before there is somebody to remove it. It never keeps the process alive either.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ConnectionError } from '../errors/errors.js'
import { withAdvice } from '../errors/system-advice.js'
import { oncePerProcess } from '../process-registry.js'
import { Patience } from './patience.js'

const START_TIMEOUT = 5000
const POLL_INTERVAL = 2
// Linux allows 107 bytes, macOS 103.
const LONGEST_SOCKET_PATH = 100
const MOST_OUTPUT = 4000
/** The exit code of a keeper that could not make its directory. */
const NO_DIRECTORY = 73

// The shell ignores the signals of a group stop, so that it is there to clean up after the server.
const KEEPER = `
trap '' TERM INT HUP
PATH=$PATH:/usr/bin:/bin
directory=$1; shift
mkdir -m 700 -- "$directory" 2>&1 || exit 73
exec 3<&0
"$@" </dev/null 3<&- 2>&1 &
server=$!
{ read -r _ <&3; kill -9 $server; rm -rf -- "$directory"; } 2>/dev/null &
watcher=$!
wait $server; status=$?
kill -9 $watcher 2>/dev/null
rm -rf -- "$directory"
exit $status
`

/** One use of the process's embedded Redis. */
export interface EmbeddedLease {
  /** The path of the server's socket. */
  readonly path: string
  /** Resolves when the server has ended: with an error when nobody asked for it. */
  readonly ended: Promise<ConnectionError | undefined>
  /** Lets go; the last one to do so stops the server, and waits until it and its directory are gone. */
  release(): Promise<void>
}

/** The server of this process, whichever copy of this package has started it. */
const running = oncePerProcess<{
  shared: { readonly server: Promise<Pick<EmbeddedRedis, 'path' | 'ended' | 'stop'>>; users: number } | undefined
}>('embedded-redis', () => ({ shared: undefined }))

/** A running `redis-server` that ends with this process. */
export class EmbeddedRedis {
  /** The path of the server's socket. */
  readonly path: string
  readonly ended: Promise<ConnectionError | undefined>
  readonly #keeper: ChildProcess
  #output = ''
  #stopping = false

  private constructor(program: string, directory: string) {
    this.path = join(directory, 'redis.sock')
    // A session of its own: Ctrl-C in the terminal must reach the pools first, which still need their Redis.
    this.#keeper = spawn(
      '/bin/sh',
      ['-c', KEEPER, 'poolmq-redis', directory, program, ...serverArguments(this.path, directory)],
      {
        cwd: '/',
        detached: true,
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    )
    const { stdin, stdout } = this.#keeper
    stdin?.on('error', () => {})
    stdout?.on('data', (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-MOST_OUTPUT)
    })
    this.#keeper.unref()
    for (const pipe of [stdin, stdout]) (pipe as Partial<Socket> | null)?.unref?.() // Bun has none, and needs none
    this.ended = this.#untilEnded(program)
  }

  /** Takes a share of this process's server, which the first share starts. */
  static async acquire(): Promise<EmbeddedLease> {
    running.shared ??= { server: EmbeddedRedis.#start(), users: 0 }
    const { shared } = running
    const forget = () => {
      if (running.shared === shared) running.shared = undefined
    }
    shared.users++
    const server = await shared.server.catch((error: unknown) => {
      forget()
      throw error
    })
    void server.ended.then(forget)
    let released = false
    return {
      path: server.path,
      ended: server.ended,
      release: async () => {
        if (!released) {
          released = true
          shared.users--
        }
        if (shared.users > 0) return
        forget()
        await server.stop()
      },
    }
  }

  static async #start(): Promise<EmbeddedRedis> {
    const program = findRedisProgram()
    if (program === undefined) throw new ConnectionError(noRedis)
    const server = EmbeddedRedis.#spawn(program)
    try {
      await server.#untilReachable(program)
      return server
    } catch (error) {
      await server.stop()
      throw error
    }
  }

  /** Some refusals of the system are thrown, others told when the process was to have been started. */
  static #spawn(program: string): EmbeddedRedis {
    try {
      return new EmbeddedRedis(program, join(socketRoot(), directoryName()))
    } catch (cause) {
      throw notStarted(program, cause)
    }
  }

  async #untilReachable(program: string): Promise<void> {
    const patience = new Patience(START_TIMEOUT)
    let failure: ConnectionError | undefined
    void this.ended.then((error) => {
      failure = error
    })
    try {
      while (!(await accepts(this.path))) {
        if (failure) throw failure
        if (patience.isOver) {
          throw new ConnectionError(`${program} did not open its socket within ${START_TIMEOUT} ms.${this.#said()}`)
        }
        await delay(POLL_INTERVAL)
      }
    } finally {
      patience.stop()
    }
  }

  async #untilEnded(program: string): Promise<ConnectionError | undefined> {
    try {
      // `close`, not `exit`: what the server said last is then read.
      const [code, signal] = (await once(this.#keeper, 'close')) as [number | null, NodeJS.Signals | null]
      if (this.#stopping) return undefined
      if (code === NO_DIRECTORY) {
        const message = `The embedded Redis needs a directory of its own, and ${socketRoot()} does not take one: set TMPDIR to a directory that can be written.`
        return new ConnectionError(`${message}${this.#said()}`)
      }
      return new ConnectionError(
        `The embedded Redis (${program}) ended with ${signal ?? `exit code ${code}`}.${this.#said()}`,
      )
    } catch (cause) {
      return notStarted(program, cause)
    } finally {
      this.#keeper.stdin?.destroy()
    }
  }

  /** Resolves when the server and its directory are gone. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#keeper.ref()
    ;(this.#keeper.stdout as Partial<Socket> | null)?.ref?.()
    this.#keeper.stdin?.end()
    await this.ended
  }

  #said(): string {
    const output = this.#output.trim()
    return output ? ` It said:\n${output}` : ''
  }
}

function notStarted(program: string, cause: unknown): ConnectionError {
  return new ConnectionError(`The embedded Redis (${program}) could not be started: ${withAdvice(cause)}`, { cause })
}

/** The path of the first `redis-server`, else `valkey-server`, on PATH. */
export function findRedisProgram(): string | undefined {
  if (process.platform === 'win32') return undefined
  const directories = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const paths = ['redis-server', 'valkey-server'].flatMap((name) =>
    directories.map((directory) => join(directory, name)),
  )
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

const noRedis = `PoolMQ needs a Redis, and found none. Three ways to get one:
  1. say where it is: the connection option (connection: 'redis://host:6379'), or REDIS_URL in the environment;
  2. install redis-server or valkey-server so that it is on PATH: PoolMQ then starts a private one by itself;
  3. run one in a container: docker run -d -p 6379:6379 redis, and set REDIS_URL=redis://localhost:6379`

function serverArguments(path: string, directory: string): string[] {
  const settings: Record<string, string> = {
    port: '0',
    unixsocket: path,
    unixsocketperm: '700',
    dir: directory,
    save: '',
    appendonly: 'no',
    daemonize: 'no',
    loglevel: 'warning',
    'maxmemory-policy': 'noeviction',
  }
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
}

/** Nobody knows it before it is there, so nobody can be there first. */
const directoryName = () => `poolmq-${randomBytes(9).toString('base64url')}`

function socketRoot(): string {
  const fits = (root: string) => Buffer.byteLength(join(root, directoryName(), 'redis.sock')) <= LONGEST_SOCKET_PATH
  return fits(tmpdir()) ? tmpdir() : '/tmp'
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
