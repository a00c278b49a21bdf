import { readFileSync } from 'node:fs'

/** Bytes of resident memory of another process; undefined where the system does not tell (it does on Linux). */
export function residentMemory(pid: number): number | undefined {
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  } catch {
    return undefined // it has just ended, or there is no /proc
  }
}
