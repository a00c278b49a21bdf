import type { Arena } from './arena.js'
import type { Row } from './row.js'

/** `full` is what the goals are about; `quick` only shows that it works. */
export type Size = 'full' | 'quick'

export interface Workload {
  /** As on the command line. */
  readonly name: string
  /** What is done, for the report. */
  readonly title: string
  run(arena: Arena, size: Size): Promise<Row[]>
}
