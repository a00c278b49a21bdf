/**
 * Where a host keeps the shared values that its worker processes have in common: a directory of its own, made by whoever needs it
 * first. It goes with the host; what one has left that was killed is removed by the next that starts on the same machine.
 */
import { readdir, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

const prefix = 'poolmq-shared'
/** Machines may have the place in common. */
const machine = hostname().replaceAll(/[^\w.]/g, '_')

/** @param id - of the host, or of the Pool whose own it is, in whose process this is called */
export const sharedDirectory = (id: string): string => join(tmpdir(), [prefix, machine, process.pid, id].join('-'))

/** Never rejects: what cannot be removed now is by the next host. */
export async function removeSharedDirectory(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined)
}

/** Removes the directories of hosts that were killed here. Never rejects. */
export async function sweepSharedDirectories(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => [])
  for (const name of names) {
    const owner = ownerOf(name)
    if (owner !== undefined && !isAlive(owner)) await removeSharedDirectory(join(tmpdir(), name))
  }
}

function ownerOf(name: string): number | undefined {
  const start = `${prefix}-${machine}-`
  const pid = name.startsWith(start) ? Number(/^(\d+)-\w+$/.exec(name.slice(start.length))?.[1]) : Number.NaN
  return Number.isSafeInteger(pid) ? pid : undefined
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
