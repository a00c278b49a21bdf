/** Rates of contestants on the same job: what most workloads are. */
import { type Arena, figures, type Turn } from '../harness/arena.js'
import type { Job } from '../harness/job.js'
import { compareRow, type Goal, type Row } from '../harness/row.js'

export interface Rival extends Pick<Turn, 'peer' | 'setup'> {
  readonly label: string
  readonly job: Job
  readonly goal?: Goal
  readonly note?: string
}

export interface RatePlan {
  readonly workload: string
  readonly measure: string
  /** What a rate counts, as `items/s`. */
  readonly unit: string
  readonly ours: Omit<Rival, 'goal'>
  readonly rivals: readonly Rival[]
  /** How many of the unit a job is. @defaultValue its items */
  readonly amount?: (job: Job) => number
}

/** A row for each rival: our rate by theirs. Where a rival does fewer items than we, that is its slowness, not a favour. */
export async function compareRates(arena: Arena, plan: RatePlan): Promise<Row[]> {
  const { workload, measure, unit, ours, rivals, amount = itemsOf } = plan
  const answers = await arena.play([ours, ...rivals])
  const rates = ({ label, job }: Pick<Rival, 'label' | 'job'>) =>
    figures(answers.get(label), ({ seconds }) => amount(job) / seconds)
  const own = rates(ours)
  if ('absent' in own) throw new Error(`PoolMQ itself failed: ${own.absent}`)
  return rivals.map((rival) =>
    compareRow({
      ...{ workload, measure, unit, ours: own, peer: rival.label, theirs: rates(rival) },
      ...(rival.goal && { goal: rival.goal }),
      ...(rival.note !== undefined && { note: rival.note }),
    }),
  )
}

function itemsOf(job: Job): number {
  return job.op === 'apply' ? job.calls : job.items
}
