/** The processes below a process, and what memory they hold: Linux's /proc, and nothing elsewhere. */
import { readdirSync, readFileSync } from 'node:fs'

export interface FamilyMember {
  readonly pid: number
  readonly command: string
}

/** A process and all below it. */
export function familyOf(pid: number): FamilyMember[] {
  const children = new Map<number, number[]>()
  for (const name of namesOf('/proc')) {
    const parent = Number(read(`/proc/${name}/stat`).split(') ').at(-1)?.split(' ')[1])
    if (/^\d+$/.test(name)) children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const pids = [pid]
  for (const one of pids) pids.push(...(children.get(one) ?? []))
  return pids.map((one) => ({ pid: one, command: read(`/proc/${one}/cmdline`).replaceAll('\0', ' ') }))
}

/** The memory of these processes in bytes, in which what several share counts once: PSS. */
export function proportionalMemory(pids: readonly number[]): number {
  return pids.reduce(
    (sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024,
    0,
  )
}

/** The most that a process and all below it hold together, looked at a few times a second. */
export function watchFamily(pid: number): { stop(): number } {
  let most = 0
  const look = () => {
    most = Math.max(most, proportionalMemory(familyOf(pid).map((one) => one.pid)))
  }
  const timer = setInterval(look, 400)
  return {
    stop: () => {
      clearInterval(timer)
      look()
      return most
    },
  }
}

function namesOf(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // it has ended
  }
}
