/** What the commands that look into a pool have in common: two flags, a monitor, and its end. */
import type { Command } from 'commander'
import { Monitor } from '../monitor/monitor.js'
import { poolFlag, redisFlag, target } from './flags.js'

export interface MonitorFlags {
  readonly pool?: string
  readonly redis?: string
}

export function monitorCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .addOption(poolFlag('the pool (required)'))
    .addOption(redisFlag())
}

/** Opens a monitor for one look, and closes it whatever comes of it. */
export async function lookAt(flags: MonitorFlags, look: (monitor: Monitor) => Promise<number>): Promise<number> {
  const { pool, redis } = target(flags)
  await using monitor = new Monitor({ name: pool, connection: redis })
  return await look(monitor)
}
