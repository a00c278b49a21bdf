/**
 * A worker process whose task never lets the event loop turn would not notice that its supervisor was killed, and run
 * for ever. On Linux the kernel itself ends it then: the process is started through util-linux's `setpriv`, which sets
 * its parent-death signal and becomes it. Elsewhere a worker process ends when its event loop next turns.
 */
import { realpathSync } from 'node:fs'
import { basename } from 'node:path'

export interface GuardedStart {
  readonly execPath: string
  readonly execArgv: string[]
}

const candidates = ['/usr/bin/setpriv', '/bin/setpriv']

/** How to start Node with these options, so that it ends with this process. */
export function guardedStart(execArgv: string[]): GuardedStart {
  const setpriv = process.platform === 'linux' ? candidates.find(isUtilLinux) : undefined
  if (setpriv === undefined) return { execPath: process.execPath, execArgv }
  return { execPath: setpriv, execArgv: ['--pdeathsig', 'KILL', process.execPath, ...execArgv] }
}

/** BusyBox has a command of this name that knows no parent-death signal. */
function isUtilLinux(path: string): boolean {
  try {
    return basename(realpathSync(path)) === 'setpriv'
  } catch {
    return false // there is none
  }
}
