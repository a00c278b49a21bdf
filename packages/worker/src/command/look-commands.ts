/** `poolmq status`, `hosts`, `calls`: what a pool looks like now. */
import { versionsOf } from '@poolmq/shared'
import type { Command } from 'commander'
import type { Monitor } from '../monitor/monitor.js'
import type { CallInfo, HostInfo } from '../monitor/pool-view.js'
import { exitCode } from './exit-code.js'
import { lookAt, type MonitorFlags, monitorCommand } from './monitor-command.js'
import { duration, type OutputFlags, outputFlag, printList, printOne, table } from './output.js'

export function addLookCommands(program: Command, end: (code: number) => void): void {
  monitorCommand(program, 'status', 'the work of a pool, its hosts and its calls')
    .addOption(outputFlag())
    .addHelpText(
      'after',
      '\nExits with 3 when nobody serves the pool.\n\nExample:\n  poolmq status --pool sums -o json',
    )
    .action(async (flags: MonitorFlags & OutputFlags) => end(await status(flags)))

  monitorCommand(program, 'hosts', 'the hosts that serve a pool')
    .addOption(outputFlag())
    .addHelpText('after', '\nExits with 3 when there is none.')
    .action(async (flags: MonitorFlags & OutputFlags) =>
      end(
        await lookAt(flags, async (monitor) => {
          const hosts = await monitor.hosts()
          printList(flags.output, hosts, () => hostTable(hosts))
          return hosts.length > 0 ? exitCode.done : exitCode.nobody
        }),
      ),
    )

  monitorCommand(program, 'calls', 'the open calls of all producers, oldest first')
    .addOption(outputFlag())
    .action(async (flags: MonitorFlags & OutputFlags) =>
      end(
        await lookAt(flags, async (monitor) => {
          const calls = await monitor.calls()
          printList(flags.output, calls, () => callTable(calls))
          if (monitor.silent.length > 0) process.stderr.write(`poolmq: ${silence(monitor)}\n`)
          return exitCode.done
        }),
      ),
    )
}

async function status(flags: MonitorFlags & OutputFlags): Promise<number> {
  return await lookAt(flags, async (monitor) => {
    const { hosts, value, text } = await statusText(monitor)
    printOne(flags.output, value, () => text)
    return hosts > 0 ? exitCode.done : exitCode.nobody
  })
}

/** One look at all: for programs, and for people. */
export async function statusText(monitor: Monitor): Promise<{ hosts: number; value: object; text: string }> {
  const [stats, hosts, calls] = await Promise.all([monitor.stats(), monitor.hosts(), monitor.calls()])
  const oldest = stats.oldestWaiting === null ? '' : `, the oldest for ${duration(stats.oldestWaiting)}`
  const lines = [
    `Pool ${monitor.name}${stats.paused ? ' (paused)' : ''}: ${stats.processes} worker processes on ${stats.hosts} hosts, ${stats.clients} producers`,
    `Chunks: ${stats.waiting} wait${oldest}, ${stats.running} run, ${stats.delayed} are put off`,
    '',
    hosts.length === 0 ? 'Nobody serves the pool.' : hostTable(hosts),
    '',
    calls.length === 0 ? 'No call is open.' : callTable(calls),
    ...(monitor.silent.length === 0 ? [] : ['', silence(monitor)]),
  ]
  const value = { pool: monitor.name, ...stats, hosts, calls, silent: monitor.silent }
  return { hosts: hosts.length, value, text: lines.join('\n') }
}

/** Whose calls are not shown. */
function silence({ silent }: Monitor): string {
  const [who, their] = silent.length === 1 ? ['1 producer does', 'its'] : [`${silent.length} producers do`, 'their']
  return `${who} not answer (${silent.slice(0, 5).join(', ')}${silent.length > 5 ? ', …' : ''}): ${their} calls are not shown`
}

function hostTable(hosts: readonly HostInfo[]): string {
  const hasBuilds = hosts.some(({ build }) => build !== undefined)
  return table(
    ['host', 'pid', 'id', 'processes', 'version', ...(hasBuilds ? ['build'] : []), 'tasks'],
    hosts.map((host) => [
      host.host,
      host.pid,
      host.local === true ? `${host.id} (a Pool's own)` : host.id,
      host.processes,
      host.version ?? '-',
      ...(hasBuilds ? [host.build ?? '-'] : []),
      host.tasks.length > 3
        ? `${host.tasks.slice(0, 3).map(withVersion(host)).join(' ')} and ${host.tasks.length - 3} more`
        : host.tasks.map(withVersion(host)).join(' '),
    ]),
  )
}

const withVersion = (host: HostInfo) => (task: string) => [task, ...versionsOf(host, task)].join('@')

function callTable(calls: readonly CallInfo[]): string {
  const hasBackups = calls.some(({ backups }) => backups !== undefined)
  return table(
    ['call', 'task', 'method', 'done', 'failed', ...(hasBackups ? ['backups'] : []), 'age', 'producer'],
    calls.map((call) => [
      call.id,
      call.task,
      call.durable === undefined ? call.method : `${call.method}, durable ${call.durable}`,
      `${call.done}/${call.total ?? '?'}`,
      Object.values(call.failures).reduce((sum, count) => sum + count, 0),
      ...(hasBackups ? [call.backups ?? 0] : []),
      duration(call.age),
      `${call.host}:${call.pid}`,
    ]),
  )
}
