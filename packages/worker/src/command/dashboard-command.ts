/** `poolmq dashboard`: the pool in a browser. */
import { once } from 'node:events'
import { isIP } from 'node:net'
import type { ConnectionOption } from '@poolmq/shared'
import type { Command } from 'commander'
import { Monitor } from '../monitor/monitor.js'
import { CommandFailure, exitCode, UsageError } from './exit-code.js'
import { count, flag, switchFlag, target } from './flags.js'
import { type MonitorFlags, monitorCommand } from './monitor-command.js'

interface DashboardFlags extends MonitorFlags {
  readonly port: number
  readonly host: string
  readonly token?: string
  readonly allowHost?: string[]
  readonly allowControl?: boolean
}

const loopback = ['localhost', '127.0.0.1', '[::1]']
/** Characters of a token that is not guessed. */
const shortestToken = 16

const help = `
It shows names, counts, sizes and times, never the values that tasks are given or give. It listens on this machine only, and
shows without letting anything be changed, unless it is told otherwise: --allow-control for the latter; --host
with a --token for the former, behind something that speaks TLS.

Examples:
  poolmq dashboard --pool sums
  POOLMQ_TOKEN=$(openssl rand -hex 16) poolmq dashboard --pool sums --host 0.0.0.0 --allow-host pools.example.org`

export function addDashboardCommand(program: Command, end: (code: number) => void): void {
  monitorCommand(program, 'dashboard', 'the pool in a browser')
    .addOption(
      flag('--port <port>', 'the port (0: any that is free)', 'POOLMQ_PORT', count('--port', 0, 65_535)).default(8799),
    )
    .addOption(flag('--host <address>', 'the address to listen on', 'POOLMQ_HOST', (text) => text).default('127.0.0.1'))
    .addOption(
      flag(
        '--token <token>',
        'what a browser must show; needed to listen elsewhere than on this machine',
        'POOLMQ_TOKEN',
        tokenOf,
      ),
    )
    .addOption(
      flag(
        '--allow-host <names>',
        'further names under which a browser may ask, with commas between',
        'POOLMQ_ALLOW_HOST',
        namesOf,
      ),
    )
    .addOption(
      switchFlag(
        '--allow-control',
        'let calls be cancelled, hosts be drained, the pool be paused',
        'POOLMQ_ALLOW_CONTROL',
      ),
    )
    .addHelpText('after', help)
    .action(async (flags: DashboardFlags) => end(await serve(flags)))
}

const namesOf = (text: string) =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)

function tokenOf(text: string): string {
  if (text.length >= shortestToken && !/[\s;,]/.test(text)) return text
  throw new UsageError(`--token must be at least ${shortestToken} characters without spaces, commas and semicolons`)
}

async function serve(flags: DashboardFlags): Promise<number> {
  const { pool, redis } = target(flags)
  const isLocal = loopback.includes(flags.host) || flags.host === '::1'
  if (!isLocal && flags.token === undefined) {
    throw new UsageError(`--host ${flags.host} lets others ask: give a --token (or POOLMQ_TOKEN) as well`)
  }
  const { DashboardServer } = await import('../dashboard/dashboard-server.js')
  await using monitor = new Monitor({ name: pool, connection: redis as ConnectionOption })
  await monitor.stats() // no Redis: told now, rather than in a browser
  const own = isIP(flags.host) === 6 ? `[${flags.host}]` : flags.host
  const server = new DashboardServer({
    monitors: [monitor],
    hosts: [...loopback, own, ...(flags.allowHost ?? [])],
    token: flags.token,
    allowControl: flags.allowControl === true,
  })
  const port = await server.start(flags.port, flags.host).catch((error: Error) => {
    throw new CommandFailure(`cannot listen on ${own}:${flags.port}: ${error.message}`)
  })
  const query = flags.token === undefined ? '' : `?token=${encodeURIComponent(flags.token)}`
  process.stdout.write(`poolmq: dashboard of pool ${pool} at http://${own}:${port}/${query}\n`)
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  server.close()
  return exitCode.done
}
