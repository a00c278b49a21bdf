/**
 * `@poolmq/worker`: serves pools on a host. The command `poolmq worker` is all that most hosts need; a program of one's
 * own can run a supervisor from `@poolmq/worker/supervisor`.
 */
import { fileURLToPath } from 'node:url'

export { defineTasks, type Task, type TaskFunction, type TaskRef, type Tasks } from '@poolmq/shared'
export { sweepPool } from './chunk-scripts.js'
export { ChunkStore, type NewChunk } from './chunk-store.js'
export { inheritedExecArgv } from './exec-argv.js'
export type { FromLocalSupervisor, LocalStart, ToLocalSupervisor } from './local-messages.js'
export type { EagerSpec } from './messages.js'
export { packDescriptor } from './packed-descriptor.js'
export { liveHosts } from './presence.js'
export { currentTask, type TaskContext } from './task-context.js'

/** The program that a Pool forks for its local worker processes. */
export const localSupervisorProgram = fileURLToPath(new URL('./local-supervisor.js', import.meta.url))
