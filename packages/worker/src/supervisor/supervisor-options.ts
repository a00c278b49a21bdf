/** The options of a supervisor, and their checks: also a program of somebody's own makes one. */
import {
  buildId,
  type ConnectionDescriptor,
  type ConnectionOption,
  knownOptions,
  poolName,
  wholeNumber,
} from '@poolmq/shared'
import type { StartedWorker } from './worker-handle.js'

export interface SupervisorOptions {
  /** The name of the pool to serve. */
  readonly pool: string
  /** How many worker processes (or threads) run at the same time. */
  readonly processes: number
  /** How many chunks all of them together may have in hand at a time, spread evenly. @defaultValue one for each */
  readonly lanes?: number
  /** Worker threads in this process instead of processes. @defaultValue false */
  readonly threads?: boolean
  /** Worker processes that were started already, with `forkWorker`. */
  readonly started?: readonly (StartedWorker | undefined)[]
  /** URLs of the task modules. */
  readonly modules: readonly string[]
  readonly connection: ConnectionOption | ConnectionDescriptor | undefined
  /** The client whose Pool's own supervisor this is: more modules may follow. @defaultValue none: a host of its own */
  readonly client?: string
  /** The directory of the shared values that its worker processes have in common, removed at its end. @defaultValue one of its own */
  readonly shared?: string
  /** Where warnings go that are for the user of a Pool; else they are logged. */
  readonly onWarning?: (text: string) => void
  /**
   * What this host was built from (a commit, the tag of an image): shown to operators, and in errors that name the host.
   * It is not compared with anything: what may run where is what a task's `version` says. @defaultValue none
   */
  readonly build?: string
  /** Milliseconds that a chunk's lease lasts; it is renewed every fifth of it. @defaultValue 10000 */
  readonly lockDuration?: number
  /** Milliseconds that running chunks are waited for when draining. @defaultValue 30000 */
  readonly drainTimeout?: number
}

const names: Readonly<Record<keyof SupervisorOptions, true>> = {
  pool: true,
  processes: true,
  lanes: true,
  threads: true,
  started: true,
  modules: true,
  connection: true,
  client: true,
  shared: true,
  onWarning: true,
  build: true,
  lockDuration: true,
  drainTimeout: true,
}

/** @throws TypeError, RangeError */
export function checkSupervisorOptions(options: SupervisorOptions): void {
  knownOptions('Supervisor', options, Object.keys(names))
  const { processes, lanes, client, build, lockDuration, drainTimeout } = options
  if (client === undefined) poolName(options.pool)
  // A Pool's own that has lost its Pool as it starts has none.
  wholeNumber('processes', processes, client === undefined ? 1 : 0)
  if (lanes !== undefined) wholeNumber('lanes', lanes, processes)
  if (build !== undefined) buildId(build)
  if (lockDuration !== undefined) wholeNumber('lockDuration', lockDuration, 1000)
  if (drainTimeout !== undefined) wholeNumber('drainTimeout', drainTimeout, 0)
}
