/**
 * The command `poolmq`: reads its arguments, runs what was asked, and ends with an exit code that says how it went. Each
 * command has a file of its own; this one has what they share: usage, errors, the way out.
 */
import type { Writable } from 'node:stream'
import { ProcessAnchor, within } from '@poolmq/shared'
import { Command, CommanderError } from 'commander'
import { bearClosedOutput } from '../closed-output.js'
import { packageVersion } from '../package-version.js'
import { addCallCommands } from './call-commands.js'
import { addDashboardCommand } from './dashboard-command.js'
import { addDoctorCommand } from './doctor-command.js'
import { CommandFailure, exitCode, UsageError } from './exit-code.js'
import { addLookCommands } from './look-commands.js'
import { addMetricsCommand } from './metrics-command.js'
import { addSteerCommands } from './steer-commands.js'
import { addTopCommand } from './top-command.js'
import { addWorkerCommand } from './worker-command.js'

const epilogue = `
Exit codes: 0 done, 1 failed (or no Redis), 2 wrong usage, 3 nobody serves the pool.
Each flag can be given by the environment variable that stands beside it; the flag comes first.`

/** Milliseconds that a host which has ended waits for those who read what its tasks print. */
const lastWords = 1000

/** Runs the command; resolves with its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  bearClosedOutput()
  // Of these, output is all that they do; `map` sees to its own, as it has a pool to close.
  if (args[0] !== 'worker' && args[0] !== 'map') process.stdout.on('error', endWithOutput)
  let code: number = exitCode.done
  const program = new Command('poolmq')
    .description("PoolMQ: Python's multiprocessing.Pool for TypeScript, with workers on any number of hosts.")
    .version(packageVersion(), '-v, --version', 'show the version')
    .helpOption('-h, --help', 'show this text')
    .helpCommand(false)
    .addHelpText('after', epilogue)
    .exitOverride()
    // What is wrong is told once, below, and followed by the usage of the command that was meant.
    .configureOutput({ outputError: () => undefined, writeErr: () => undefined })
  const end = (ended: number) => {
    code = ended
  }
  addWorkerCommand(program, end)
  addLookCommands(program, end)
  addSteerCommands(program, end)
  addTopCommand(program, end)
  addDoctorCommand(program, end)
  addDashboardCommand(program, end)
  addMetricsCommand(program, end)
  addCallCommands(program, end)
  // Connections to Redis keep no process alive; a command that waits for an answer does.
  const anchor = new ProcessAnchor()
  anchor.hold(program)
  try {
    if (args.length === 0) throw new UsageError('no command given')
    if (asksForVersion(args)) return print(`${packageVersion()}\n`)
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCode.done
    if (error instanceof UsageError || error instanceof CommanderError) {
      const message = error.message.replace(/^error: /, '')
      process.stderr.write(`poolmq: ${message}\n\n${meant(program, args).helpInformation()}`)
      return exitCode.usage
    }
    process.stderr.write(`poolmq: ${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof CommandFailure ? error.code : exitCode.failed
  } finally {
    // What a pipe has no room for is still to be written, and the end of the process would drop it. A host ends without:
    // what it has to say stands there as it is said, and the rest is what tasks have printed.
    const unwritten = Promise.all([process.stdout, process.stderr].map(written))
    if (args[0] === 'worker') await within(lastWords, unwritten)
    else await unwritten
    anchor.release(program)
  }
}

/** Who reads it no more has seen enough; that it cannot be written (a full disk) is a failure. */
function endWithOutput(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(exitCode.done)
  process.stderr.write(`poolmq: the output cannot be written: ${error.message}\n`)
  process.exit(exitCode.failed)
}

/** Resolves when all has been handed to the system, or cannot be. */
function written(output: Writable): Promise<void> {
  return new Promise((resolve) => output.write('', () => resolve()))
}

/** The command that was meant, as far as it can be told. */
function meant(program: Command, args: readonly string[]): Command {
  return program.commands.find((command) => command.name() === args[0]) ?? program
}

/** Also behind a command, where users look for it. */
function asksForVersion(args: readonly string[]): boolean {
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args
  return own.some((arg) => arg === '-v' || arg === '--version')
}

function print(text: string): number {
  process.stdout.write(text)
  return exitCode.done
}
