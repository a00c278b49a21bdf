/** What a host shows of itself in Redis, while it serves a pool. */
import { hostname } from 'node:os'
import type { Presence } from '@poolmq/shared'
import { packageVersion } from '../package-version.js'
import type { SupervisorOptions } from './supervisor-options.js'
import type { WorkerSlot } from './worker-slot.js'

/** What a host shows, but for the times, which are Redis's. */
export type HostPresence = Omit<Presence, 'expires' | 'at'>

export function hostPresence(options: SupervisorOptions, slots: ReadonlySet<WorkerSlot>): HostPresence {
  const { processes, lanes = processes, client, build } = options
  const specs = [...new Set([...slots].flatMap((slot) => slot.spec ?? []))]
  const taskVersions = allVersions([...slots].map(({ versions }) => versions))
  return {
    host: hostname(),
    pid: process.pid,
    processes,
    lanes,
    tasks: [...slots].find((slot) => slot.tasks.length > 0)?.tasks ?? [],
    version: packageVersion(),
    clock: Date.now(),
    ...(client !== undefined && { local: true }),
    ...(specs.length > 0 && { specs }),
    ...(taskVersions !== undefined && { taskVersions }),
    ...(build !== undefined && { build }),
  }
}

/** The versions of each task in any of these; more than one where modules have changed under a host that runs. */
function allVersions(versions: readonly Readonly<Record<string, readonly string[]>>[]) {
  const all: Record<string, string[]> = {}
  for (const [id, names] of versions.flatMap((one) => Object.entries(one))) {
    all[id] = [...new Set([...(all[id] ?? []), ...names])]
  }
  return Object.keys(all).length > 0 ? all : undefined
}
