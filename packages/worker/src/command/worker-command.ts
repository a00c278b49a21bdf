/** `poolmq worker`: runs a supervisor until it is told to end, or has to give up. */
import { availableCores } from '@poolmq/shared'
import type { Command } from 'commander'
import { knownLevels, unknownLevel } from '../logger.js'
import { moduleUrl } from '../process/module-loader.js'
import { Supervisor } from '../supervisor/supervisor.js'
import { exitCode, UsageError } from './exit-code.js'
import { buildFlag, count, flag, poolFlag, redisFlag, target } from './flags.js'
import type { HealthServer } from './health-server.js'

interface WorkerFlags {
  readonly pool?: string
  readonly processes?: number
  readonly threads?: number
  readonly concurrency: number
  readonly build?: string
  readonly redis?: string
  readonly lease: number
  readonly drain: number
  readonly healthPort?: number
  readonly healthHost?: string
}

interface WorkerArguments {
  readonly pool: string
  readonly processes: number
  readonly lanes: number
  readonly threads: boolean
  readonly redis: string
  readonly lockDuration: number
  readonly drainTimeout: number
  readonly build?: string
  readonly healthPort: number | undefined
  readonly healthHost: string | undefined
  readonly modules: readonly string[]
}

const examples = `
Examples:
  poolmq worker --pool sums ./dist/tasks.js
  REDIS_URL=redis://10.0.0.7 poolmq worker --pool sums --processes 8 --health-port 8080 ./dist/tasks.js

POOLMQ_LOG sets the level of the log: trace, debug, info, warn, error, silent.`

export function addWorkerCommand(program: Command, end: (code: number) => void): void {
  program
    .command('worker')
    .summary('serve a pool on this host')
    .description('Serves a pool on this host: runs the tasks that the modules define.')
    .argument('[module...]', 'task modules: compiled JavaScript that calls defineTasks')
    .addOption(poolFlag('the pool to serve (required)'))
    .addOption(
      flag(
        '--processes <n>',
        'worker processes to run (default: the number of cores)',
        'POOLMQ_PROCESSES',
        count('--processes'),
      ),
    )
    .addOption(
      flag('--threads <n>', 'worker threads to run, instead of worker processes', 'POOLMQ_THREADS', count('--threads')),
    )
    .addOption(
      flag(
        '--concurrency <n>',
        'tasks at a time in each of them, for tasks that wait; one that computes keeps those beside it waiting',
        'POOLMQ_CONCURRENCY',
        count('--concurrency', 1, 10_000),
      ).default(1),
    )
    .addOption(redisFlag())
    .addOption(buildFlag())
    .addOption(
      flag(
        '--lease <ms>',
        'milliseconds after which another host takes over the chunks of this one when it is lost',
        'POOLMQ_LEASE',
        count('--lease', 1000),
      ).default(10_000),
    )
    .addOption(
      flag(
        '--drain <ms>',
        'milliseconds that running chunks may take to end after SIGTERM; a second SIGTERM stops at once',
        'POOLMQ_DRAIN',
        count('--drain', 0),
      ).default(30_000),
    )
    .addOption(
      flag(
        '--health-port <port>',
        'answer /livez and /readyz over HTTP on this port (0: any that is free)',
        'POOLMQ_HEALTH_PORT',
        count('--health-port', 0, 65_535),
      ),
    )
    .addOption(
      flag(
        '--health-host <address>',
        'answer on this address of the host only (default: all, as orchestrators ask from outside)',
        'POOLMQ_HEALTH_HOST',
        String,
      ),
    )
    .addHelpText('after', examples)
    .action(async (modules: string[], flags: WorkerFlags) => end(await serve(parse(modules, flags))))
}

function parse(modules: readonly string[], flags: WorkerFlags): WorkerArguments {
  const { pool, redis } = target(flags)
  const level = unknownLevel()
  if (level !== undefined) throw new UsageError(`POOLMQ_LOG is none of ${knownLevels}: ${JSON.stringify(level)}`)
  if (flags.threads !== undefined && flags.processes !== undefined) {
    throw new UsageError('--processes and --threads exclude each other')
  }
  if (flags.healthHost !== undefined && flags.healthPort === undefined) {
    throw new UsageError('--health-host without --health-port; nothing would listen there')
  }
  if (modules.length === 0) throw new UsageError('no task modules given')
  if (modules.includes('')) throw new UsageError('a task module is named by an empty text; a variable that is not set?')
  const processes = flags.processes ?? flags.threads ?? availableCores()
  return {
    pool,
    processes,
    lanes: processes * flags.concurrency,
    threads: flags.threads !== undefined,
    redis,
    lockDuration: flags.lease,
    drainTimeout: flags.drain,
    ...(flags.build !== undefined && { build: flags.build }),
    healthPort: flags.healthPort,
    healthHost: flags.healthHost,
    modules: modules.map(moduleUrl),
  }
}

async function serve(args: WorkerArguments): Promise<number> {
  const { healthPort, healthHost, redis, ...options } = args
  const supervisor = new Supervisor({ ...options, connection: redis })
  let signals = 0
  const onSignal = () => {
    signals++
    if (signals === 1) void supervisor.drain()
    else void supervisor.stop()
  }
  // A terminal that is closed tells so twice, itself and by its shell.
  const onHangup = () => void supervisor.drain()
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('SIGHUP', onHangup)
  if (healthPort !== undefined) supervisor.observe()
  const health = healthPort === undefined ? undefined : await openHealth(supervisor, healthPort, healthHost)
  try {
    supervisor.start().catch(() => undefined) // `ended` tells
    supervisor.ready.then(
      () => process.stderr.write(`poolmq: serving pool ${args.pool} with ${seats(args)}\n`),
      () => undefined, // `ended` tells
    )
    const failure = await supervisor.ended
    if (failure !== undefined) throw failure
    return exitCode.done
  } finally {
    process.off('SIGTERM', onSignal)
    process.off('SIGINT', onSignal)
    process.off('SIGHUP', onHangup)
    health?.close()
  }
}

/** Before anything else is done: it tells from the beginning that this host is not ready yet. */
async function openHealth(supervisor: Supervisor, port: number, host: string | undefined): Promise<HealthServer> {
  const { HealthServer } = await import('./health-server.js')
  const health = new HealthServer(supervisor)
  try {
    process.stderr.write(`poolmq: health on port ${await health.start(port, host)}\n`)
    return health
  } catch (error) {
    await supervisor.stop()
    throw error
  }
}

function seats({ processes, threads, lanes }: WorkerArguments): string {
  const plural = processes === 1 ? '' : threads ? 's' : 'es'
  const beside = lanes === processes ? '' : `, ${lanes} tasks at a time`
  return `${processes} worker ${threads ? 'thread' : 'process'}${plural}${beside}`
}
