/** Medians and spreads of a few rounds. */

export interface Summary {
  readonly median: number
  readonly low: number
  readonly high: number
  readonly samples: readonly number[]
}

export function summarize(samples: readonly number[]): Summary {
  if (samples.length === 0) return { median: Number.NaN, low: Number.NaN, high: Number.NaN, samples }
  return { median: quantile(samples, 0.5), low: Math.min(...samples), high: Math.max(...samples), samples }
}

/** Linear between neighbours. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}

/** Round by round, so that what slows a whole round down does not show. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.slice(0, theirs.length).map((value, i) => value / (theirs[i] ?? Number.NaN))
}
