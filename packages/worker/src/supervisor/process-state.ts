import { readFileSync } from 'node:fs'

/**
 * Whether another process has been stopped, by SIGSTOP or a terminal, and not continued: it runs nothing, and is no more
 * busy than a dead one. False where the system does not tell (it does on Linux), and for one that a debugger holds.
 */
export function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is its name in brackets, which may have brackets of its own.
    return stat.charAt(stat.lastIndexOf(')') + 2) === 'T'
  } catch {
    return false // it has just ended, or there is no /proc
  }
}
