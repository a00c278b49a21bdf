/** The tasks of all contestants, for pools of worker threads: each runs the export of its name on one item. */
import { isMainThread } from 'node:worker_threads'
import workerpool from 'workerpool'
import { fibonacci as compute } from '../harness/inputs.js'

export const identity = (x: number): number => x
export const echo = (text: string): string => text
export const fibonacci = (n: number): number => compute(n)

if (!isMainThread && process.argv.includes('workerpool')) workerpool.worker({ identity, echo, fibonacci })
