import { UnknownTaskError } from '@poolmq/shared'

/** The error for a task that no worker knows, with the names that are nearest to it. */
export function unknownTask(taskId: string, known: readonly string[]): UnknownTaskError {
  const nearest = known
    .map((id) => ({ id, distance: editDistance(taskId, id) }))
    .filter(({ distance }) => distance <= Math.max(3, taskId.length / 3))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ id }) => id)
  const hint =
    nearest.length > 0
      ? `did you mean ${nearest.join(' or ')}?`
      : known.length > 0
        ? `known are ${known.slice(0, 10).join(', ')}${known.length > 10 ? ', …' : ''}`
        : 'they know no tasks at all'
  return new UnknownTaskError(
    `no worker of the pool knows the task ${JSON.stringify(taskId)}: ${hint} (workers run the modules of their command line)`,
    { taskId, nearest },
  )
}

/** Levenshtein's distance: how many letters must be put in, taken out or changed. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next[j] = Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1)
    }
    row = next
  }
  return row[b.length] as number
}
