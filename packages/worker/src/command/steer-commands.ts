/** `poolmq cancel`, `drain`, `pause`, `resume`: what an operator can ask of a pool. */
import type { Command } from 'commander'
import type { Monitor } from '../monitor/monitor.js'
import { CommandFailure, exitCode } from './exit-code.js'
import { count, flag } from './flags.js'
import { lookAt, type MonitorFlags, monitorCommand } from './monitor-command.js'
import { printable } from './output.js'
import { until } from './until.js'

/** Milliseconds that a producer has to give its call up. */
const cancelTime = 5000

interface DrainFlags extends MonitorFlags {
  readonly wait?: number
}

export function addSteerCommands(program: Command, end: (code: number) => void): void {
  monitorCommand(program, 'cancel', 'have a call cancelled: its handle rejects with CancelledError')
    .argument('<call>', 'CLIENT.NUMBER, as `poolmq calls` shows it')
    .action(async (call: string, flags: MonitorFlags) => end(await lookAt(flags, (monitor) => cancel(monitor, call))))

  monitorCommand(program, 'drain', 'have hosts end after what they run now, as SIGTERM does')
    .argument('<host>', 'a name or an id, as `poolmq hosts` shows them')
    .addOption(flag('--wait <ms>', 'milliseconds to wait until they are gone', 'POOLMQ_WAIT', count('--wait', 0)))
    .action(async (host: string, flags: DrainFlags) =>
      end(await lookAt(flags, (monitor) => drain(monitor, host, flags.wait))),
    )

  monitorCommand(program, 'pause', 'let no chunk be taken until `poolmq resume`; what runs goes on').action(
    async (flags: MonitorFlags) =>
      end(await lookAt(flags, (monitor) => say(monitor.pause(), `pool ${monitor.name} is paused`))),
  )

  monitorCommand(program, 'resume', 'let chunks be taken again').action(async (flags: MonitorFlags) =>
    end(await lookAt(flags, (monitor) => say(monitor.resume(), `pool ${monitor.name} goes on`))),
  )
}

async function cancel(monitor: Monitor, id: string): Promise<number> {
  // A producer that tells nothing now may hold it: what it is asked it does as soon as it can.
  const isOver = async () => {
    const calls = await monitor.calls()
    return !calls.some((call) => call.id === id) && !monitor.silent.includes(id.replace(/\.\d+$/, ''))
  }
  if ((await isOver()) || !(await monitor.cancel(id))) {
    throw new CommandFailure(
      `no call ${printable(id)} is open in pool ${monitor.name}; poolmq calls shows those that are`,
      exitCode.nobody,
    )
  }
  if (!(await until(cancelTime, isOver))) {
    throw new CommandFailure(
      `the producer of ${printable(id)} has not answered for ${cancelTime} ms: it gives the call up when its event loop turns; ` +
        'if it has died, the call ends with its lease, within a minute',
    )
  }
  return await say(Promise.resolve(), `call ${printable(id)} is cancelled`)
}

async function drain(monitor: Monitor, host: string, wait: number | undefined): Promise<number> {
  const asked = await monitor.drain(host)
  if (asked.length === 0) {
    throw new CommandFailure(
      `no host ${printable(host)} serves pool ${monitor.name}; poolmq hosts shows those that do`,
      exitCode.nobody,
    )
  }
  const names = asked.map((one) => `${printable(one.host)}:${one.pid}`).join(', ')
  if (wait === undefined) return await say(Promise.resolve(), `asked to drain: ${names}`)
  const ids = new Set(asked.map((one) => one.id))
  const gone = await until(wait, async () => !(await monitor.hosts()).some((one) => ids.has(one.id)))
  if (!gone) throw new CommandFailure(`still there after ${wait} ms: ${names}`)
  return await say(Promise.resolve(), `drained: ${names}`)
}

async function say(done: Promise<void>, text: string): Promise<number> {
  await done
  process.stdout.write(`${text}\n`)
  return exitCode.done
}
