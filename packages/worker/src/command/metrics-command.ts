/** `poolmq metrics`: a pool's figures for a monitoring system, and for who decides how many hosts there are. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Command } from 'commander'
import type { Monitor } from '../monitor/monitor.js'
import { CommandFailure, exitCode, UsageError } from './exit-code.js'
import { count, flag, switchFlag } from './flags.js'
import { lookAt, type MonitorFlags, monitorCommand } from './monitor-command.js'

interface MetricsFlags extends MonitorFlags {
  readonly port: number
  readonly host: string
  readonly target: number
  readonly once?: boolean
}

const mostConnections = 100

export function addMetricsCommand(program: Command, end: (code: number) => void): void {
  monitorCommand(program, 'metrics', 'serve the pool’s figures to Prometheus at /metrics')
    .addOption(
      flag('--port <port>', 'the port (0: any that is free)', 'POOLMQ_PORT', count('--port', 0, 65_535)).default(9464),
    )
    .addOption(flag('--host <address>', 'the address to listen on', 'POOLMQ_HOST', (text) => text).default('0.0.0.0'))
    .addOption(
      flag(
        '--target <s>',
        'seconds in which what waits is to be worked off: for poolmq_desired_processes',
        'POOLMQ_TARGET',
        count('--target'),
      ).default(60),
    )
    .addOption(switchFlag('--once', 'print them once, and end', 'POOLMQ_ONCE'))
    .addHelpText('after', '\nOf what hosts run by task, each tells on its own --health-port, at /metrics.')
    .action(async (flags: MetricsFlags, command: Command) => {
      if (flags.once === true) refuseAddress(command)
      end(await lookAt(flags, (monitor) => tell(monitor, flags)))
    })
}

/** What the environment says is for whatever is run in it, and need not be of use to each. */
function refuseAddress(command: Command): void {
  const given = ['port', 'host'].find((name) => command.getOptionValueSource(name) === 'cli')
  if (given !== undefined) throw new UsageError(`--${given} with --once; the figures are printed, and nothing listens`)
}

async function tell(monitor: Monitor, { port, host, target, once: isOnce }: MetricsFlags): Promise<number> {
  const { poolMetrics } = await import('../monitor/pool-metrics.js')
  if (isOnce === true) {
    process.stdout.write(await poolMetrics(monitor, target))
    return exitCode.done
  }
  await monitor.stats() // no Redis: told now
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5000 }, (request, response) => {
    if (request.url?.replace(/\?.*$/s, '') !== '/metrics') {
      response.writeHead(404).end('there is /metrics\n')
      return
    }
    poolMetrics(monitor, target).then(
      (text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
      (error: Error) => response.writeHead(503).end(`${error.message}\n`),
    )
  })
  server.maxConnections = mostConnections
  server.listen(port, host)
  await once(server, 'listening').catch((error: Error) => {
    throw new CommandFailure(`cannot listen on ${host}:${port}: ${error.message}`)
  })
  process.stdout.write(`poolmq: metrics of pool ${monitor.name} at port ${(server.address() as AddressInfo).port}\n`)
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  server.close()
  server.closeAllConnections()
  return exitCode.done
}
