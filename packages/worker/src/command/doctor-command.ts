/** `poolmq doctor`: examines what a pool needs, and says what to do where something is missing. */
import { RedisLink } from '@poolmq/shared'
import type { Command } from 'commander'
import { exitCode } from './exit-code.js'
import { target } from './flags.js'
import { type MonitorFlags, monitorCommand } from './monitor-command.js'
import { type OutputFlags, outputFlag, printList, table } from './output.js'

export function addDoctorCommand(program: Command, end: (code: number) => void): void {
  monitorCommand(program, 'doctor', 'examine Redis, rights, hosts, versions, clocks')
    .addOption(outputFlag())
    .addHelpText('after', '\nExits with 1 when something does not work, with 3 when only hosts are missing.')
    .action(async (flags: MonitorFlags & OutputFlags) => end(await examinePool(flags)))
}

async function examinePool(flags: MonitorFlags & OutputFlags): Promise<number> {
  const { pool, redis } = target(flags)
  const { examine } = await import('../monitor/doctor.js')
  const link = await RedisLink.open(redis, { name: 'poolmq-doctor' })
  try {
    const findings = await examine(link, pool)
    printList(flags.output, findings, () =>
      table(
        ['', 'check', 'finding'],
        findings.map(({ check, state, detail }) => [state === 'ok' ? 'ok' : state.toUpperCase(), check, detail]),
      ),
    )
    const failures = findings.filter((finding) => finding.state === 'failed')
    if (failures.length === 0) return exitCode.done
    return failures.every((finding) => finding.check === 'hosts') ? exitCode.nobody : exitCode.failed
  } finally {
    await link.close()
  }
}
