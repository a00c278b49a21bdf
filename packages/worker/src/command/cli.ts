/** The command `poolmq`: reads its arguments, runs a supervisor, and ends with it. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { parseConnectionOption, poolName } from '@poolmq/shared'
import { moduleUrl } from '../process/module-loader.js'
import { Supervisor } from '../supervisor/supervisor.js'
import type { HealthServer } from './health-server.js'

const usage = `Usage: poolmq worker --pool NAME [options] MODULE...

Serves the pool NAME on this host: runs the tasks that the MODULEs define.

Options:
  --pool NAME        the pool to serve (required)
  --processes N      worker processes to run (default: the number of cores)
  --threads N        worker threads to run, instead of worker processes
  --redis URL        redis://, redis-sentinel://, redis-cluster:// (with TLS:
                     rediss…) or unix: URL (default: REDIS_URL)
  --lease MS         milliseconds after which another host takes over the chunks
                     of this one when it is lost (default: 10000)
  --drain MS         milliseconds that running chunks may take to end after
                     SIGTERM (default: 30000); a second SIGTERM stops at once
  --health-port P    answer /livez and /readyz over HTTP on this port (0: any that
                     is free)
  -h, --help         show this text
  -v, --version      show the version

Environment: REDIS_URL, POOLMQ_LOG (trace, debug, info, warn, error, silent).
`

class UsageError extends Error {}

interface WorkerArguments {
  readonly pool: string
  readonly processes: number
  readonly threads: boolean
  readonly redis: string
  readonly lockDuration: number
  readonly drainTimeout: number
  readonly healthPort: number | undefined
  readonly modules: readonly string[]
}

/** Runs the command; resolves with its exit code: 0 done, 1 failed, 2 wrong usage. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const parsed = parse(args)
    if (typeof parsed === 'string') {
      process.stdout.write(parsed)
      return 0
    }
    return await serve(parsed)
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`poolmq: ${error.message}\n\n${usage}`)
      return 2
    }
    process.stderr.write(`poolmq: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

function parse(args: readonly string[]): WorkerArguments | string {
  const { values, positionals } = readArguments(args)
  if (values.help === true) return usage
  if (values.version === true) return `${packageVersion()}\n`
  const [command, ...modules] = positionals
  if (command !== 'worker') {
    throw new UsageError(command === undefined ? 'no command given' : `unknown command ${JSON.stringify(command)}`)
  }
  if (values.pool === undefined) throw new UsageError('--pool is required')
  if (values.threads !== undefined && values.processes !== undefined) {
    throw new UsageError('--processes and --threads exclude each other')
  }
  if (modules.length === 0) throw new UsageError('no task modules given')
  const redis = values.redis ?? process.env.REDIS_URL
  if (redis === undefined || redis === '') {
    throw new UsageError('no Redis given: use --redis URL or set REDIS_URL (a worker cannot share an embedded one)')
  }
  return {
    pool: checked('--pool', () => poolName(values.pool)),
    processes: count('--processes', values.processes ?? values.threads, availableParallelism()),
    threads: values.threads !== undefined,
    redis: checked('--redis', () => {
      parseConnectionOption(redis)
      return redis
    }),
    lockDuration: count('--lease', values.lease, 10_000, 1000),
    drainTimeout: count('--drain', values.drain, 30_000, 0),
    healthPort: healthPort(values['health-port']),
    modules: modules.map(moduleUrl),
  }
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        pool: { type: 'string' },
        processes: { type: 'string' },
        threads: { type: 'string' },
        redis: { type: 'string' },
        lease: { type: 'string' },
        drain: { type: 'string' },
        'health-port': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function count(flag: string, text: string | undefined, otherwise: number, least = 1): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw new UsageError(`${flag} must be a whole number of at least ${least}, got ${JSON.stringify(text)}`)
  }
  return value
}

function healthPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const port = count('--health-port', text, 0, 0)
  if (port > 65_535) throw new UsageError(`--health-port must be a port, up to 65535, got ${port}`)
  return port
}

function checked<T>(flag: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new UsageError(`${flag}: ${(error as Error).message}`)
  }
}

async function serve(args: WorkerArguments): Promise<number> {
  const { healthPort, ...options } = args
  const supervisor = new Supervisor({ ...options, connection: args.redis })
  let signals = 0
  const onSignal = () => {
    signals++
    if (signals === 1) void supervisor.drain()
    else void supervisor.stop()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  const health = healthPort === undefined ? undefined : await openHealth(supervisor, healthPort)
  try {
    supervisor.start().catch(() => undefined) // `ended` tells
    supervisor.ready.then(
      () => process.stderr.write(`poolmq: serving pool ${args.pool} with ${seats(args)}\n`),
      () => undefined, // `ended` tells
    )
    const failure = await supervisor.ended
    if (failure !== undefined) throw failure
    return 0
  } finally {
    process.off('SIGTERM', onSignal)
    process.off('SIGINT', onSignal)
    health?.close()
  }
}

/** Before anything else is done: it tells from the beginning that this host is not ready yet. */
async function openHealth(supervisor: Supervisor, port: number): Promise<HealthServer> {
  const { HealthServer } = await import('./health-server.js')
  const health = new HealthServer(supervisor)
  try {
    process.stderr.write(`poolmq: health on port ${await health.start(port)}\n`)
    return health
  } catch (error) {
    await supervisor.stop()
    throw error
  }
}

const seats = ({ processes, threads }: WorkerArguments) =>
  `${processes} worker ${threads ? 'thread' : 'process'}${processes === 1 ? '' : threads ? 's' : 'es'}`

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
