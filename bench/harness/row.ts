/** A row of the table: one measure of ours, and of a peer in the same rounds, with the goal for their ratio. */
import { ratios, type Summary, summarize } from './statistics.js'

export type Goal = { readonly atLeast: number } | { readonly atMost: number }

export type Verdict = 'met' | 'missed' | 'absent' | 'no goal'

export interface Row {
  readonly workload: string
  readonly measure: string
  readonly unit: string
  readonly ours: Summary
  readonly peer: string
  /** Undefined when the peer is absent, or when the goal is for our figure alone. */
  readonly theirs?: Summary
  /** Ours by theirs, of each round. */
  readonly ratio?: Summary
  /** For the ratio; without a peer, for our figure. */
  readonly goal?: Goal
  readonly verdict: Verdict
  /** Why the peer is absent, or what is to be known of the figure. */
  readonly note?: string
  readonly rounds: number
}

export interface Comparison {
  readonly workload: string
  readonly measure: string
  readonly unit: string
  readonly ours: readonly number[]
  readonly peer: string
  readonly theirs: readonly number[] | { readonly absent: string }
  readonly goal?: Goal
  readonly note?: string
}

export function compareRow(comparison: Comparison): Row {
  const { workload, measure, unit, ours, peer, theirs, goal, note } = comparison
  const base = { workload, measure, unit, peer, ours: summarize(ours), rounds: ours.length, ...(goal && { goal }) }
  if ('absent' in theirs) return { ...base, verdict: 'absent', note: theirs.absent }
  const ratio = summarize(ratios(ours, theirs))
  const verdict = judge(ratio.median, goal)
  return { ...base, theirs: summarize(theirs), ratio, verdict, ...(note !== undefined && { note }) }
}

/** A row whose goal is for our own figure: memory. */
export function ownRow(row: Omit<Comparison, 'peer' | 'theirs'>): Row {
  const { workload, measure, unit, goal, note } = row
  const ours = summarize(row.ours)
  const verdict = judge(ours.median, goal)
  return {
    ...{ workload, measure, unit, ours, peer: '', verdict, rounds: row.ours.length },
    ...(goal && { goal }),
    ...(note !== undefined && { note }),
  }
}

function judge(value: number, goal: Goal | undefined): Verdict {
  if (goal === undefined) return 'no goal'
  return ('atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost) ? 'met' : 'missed'
}
