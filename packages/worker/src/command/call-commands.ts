/** `poolmq run` and `poolmq map`: call tasks from a shell. */
import type { Command } from 'commander'
import { asJson, type CallFlags, callOptions } from './call-flags.js'
import { type CallingPool, type ClientPackage, loadClient, taskOf } from './client-package.js'
import { CommandFailure, exitCode, UsageError } from './exit-code.js'
import { count, flag, switchFlag, target } from './flags.js'
import type { MapFlags } from './map-lines.js'
import { monitorCommand } from './monitor-command.js'
import { until } from './until.js'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export function addCallCommands(program: Command, end: (code: number) => void): void {
  callCommand(program, 'run', 'call a task once and print its result as JSON')
    .argument('<task>', 'the id of the task: namespace.name')
    .argument('[args...]', 'its arguments, each as JSON; what is not JSON is taken as text')
    .addHelpText('after', '\nExample:\n  poolmq run math.hypot 3 4 --pool sums')
    .action(async (task: string, args: string[], flags: CallFlags) =>
      end(await withPool(task, flags, (pool, ref) => runTask(pool, ref, args, flags))),
    )

  callCommand(program, 'map', 'apply a task to each line of a file of JSON lines, in order')
    .argument('<task>', 'the id of the task: namespace.name')
    .addOption(
      flag(
        '--items <file>',
        'a file with a JSON value a line; - is standard input',
        'POOLMQ_ITEMS',
        String,
      ).makeOptionMandatory(),
    )
    .addOption(
      flag(
        '--out <file>',
        'where the results go, a line for an item; - is standard output',
        'POOLMQ_OUT',
        String,
      ).makeOptionMandatory(),
    )
    .addOption(switchFlag('--spread', 'each line is an array: the arguments of one call', 'POOLMQ_SPREAD'))
    .addOption(
      flag(
        '--chunk-size <n>',
        'items in a chunk (default: by how long they run)',
        'POOLMQ_CHUNK_SIZE',
        count('--chunk-size'),
      ),
    )
    .addHelpText('after', mapHelp)
    .action(async (task: string, flags: CallFlags & MapFlags) =>
      end(
        await withPool(task, flags, async (pool, ref) => {
          const { mapLines } = await import('./map-lines.js')
          return await mapLines(pool, ref, flags)
        }),
      ),
    )
}

const mapHelp = `
A failed item is a line {"error":{"name","message"},"index"}, and the exit code is 1. Memory is bounded: input is read
as results are written. A reader that has had enough (head) ends it.

Examples:
  seq 1 1000000 | poolmq map math.square --pool sums --items - --out -
  poolmq map images.resize --pool images --items todo.jsonl --out done.jsonl --retries 3`

function callCommand(program: Command, name: string, description: string): Command {
  return monitorCommand(program, name, description)
    .addOption(flag('--timeout <ms>', 'milliseconds that an item may run', 'POOLMQ_TIMEOUT', count('--timeout')))
    .addOption(
      flag('--retries <n>', 'tries after the first for an item that fails', 'POOLMQ_RETRIES', count('--retries', 0)),
    )
    .addOption(
      flag(
        '--wait <ms>',
        'milliseconds to wait for a host when none serves the pool',
        'POOLMQ_WAIT',
        count('--wait', 0),
      ).default(0),
    )
}

async function withPool(
  task: string,
  flags: CallFlags,
  call: (pool: CallingPool, ref: unknown) => Promise<number>,
): Promise<number> {
  const { pool: name, redis } = target(flags)
  if (!/^[^.]+\.[^.]+$/.test(task)) throw new UsageError(`a task is named namespace.name, got ${JSON.stringify(task)}`)
  const client: ClientPackage = await loadClient()
  const ref = taskOf(client, task)
  const pool = new client.Pool({ name, connection: redis })
  const onSignal = (signal: NodeJS.Signals) =>
    // By the signal, as whoever sent it expects; an exit would wait for a file that is being read (a named pipe) as well.
    void pool.terminate().finally(() => process.kill(process.pid, signal))
  for (const signal of signals) process.once(signal, onSignal)
  try {
    if (!(await until(flags.wait, async () => (await pool.hosts()).length > 0))) {
      const advice = `start a host: poolmq worker --pool ${name} MODULE… (or wait for one with --wait MS)`
      throw new CommandFailure(`nobody serves pool ${name}; ${advice}`, exitCode.nobody)
    }
    return await call(pool, ref)
  } finally {
    await pool.terminate()
    for (const signal of signals) process.off(signal, onSignal)
  }
}

async function runTask(pool: CallingPool, task: unknown, args: readonly string[], flags: CallFlags): Promise<number> {
  const value = await pool.apply(task, args.map(argument), undefined, callOptions(flags))
  process.stdout.write(`${asJson(value)}\n`)
  return exitCode.done
}

function argument(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text // not JSON: text, as the help says
  }
}
