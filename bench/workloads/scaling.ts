/** CPU-bound tasks on one, two and four worker processes: what the second one is worth. */
import { availableParallelism } from 'node:os'
import { type Arena, figures } from '../harness/arena.js'
import type { Job } from '../harness/job.js'
import { compareRow, type Row } from '../harness/row.js'
import type { Workload } from '../harness/workload.js'
import { cpython, poolmq } from '../peers/index.js'
import { compareRates } from './rates.js'

export const scaling: Workload = {
  name: 'scaling',
  title: 'Fibonacci numbers, naively, on 1, 2 and 4 worker processes',
  async run(arena, size) {
    const job =
      size === 'full' ? ({ op: 'fib', items: 360, n: 33 } as const) : ({ op: 'fib', items: 8, n: 15 } as const)
    const cores = availableParallelism()
    const note = cores < 2 ? `this machine has ${cores} core` : undefined
    const on = (processes: number) => ({
      label: `poolmq, ${processes} process${processes === 1 ? '' : 'es'}`,
      peer: poolmq,
      job,
      setup: { processes },
    })
    const rows = await compareRates(arena, {
      ...{ workload: this.name, measure: '2 processes', unit: 'tasks/s' },
      ours: on(2),
      rivals: [{ ...on(1), goal: { atLeast: 1.9 }, ...(note !== undefined && { note }) }, on(4)],
    })
    return [...rows, await machineRow(arena, job)]
  },
}

/** What two processes are worth on this machine at this time, whatever the library. */
async function machineRow(arena: Arena, job: Extract<Job, { op: 'fib' }>): Promise<Row> {
  const slower = { ...job, n: job.n - 5 }
  const turn = (processes: number) => ({ label: String(processes), peer: cpython, job: slower, setup: { processes } })
  const answers = await arena.play([turn(1), turn(2)])
  const rates = (label: string) => figures(answers.get(label), ({ seconds }) => job.items / seconds)
  const [one, two] = [rates('1'), rates('2')]
  const row = { workload: scaling.name, measure: "CPython's 2 processes", unit: 'tasks/s', peer: "CPython's 1 process" }
  return compareRow({ ...row, ours: 'absent' in two ? [] : two, theirs: one })
}
