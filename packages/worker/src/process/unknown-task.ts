/** The errors for tasks that no worker has, or none in the version that is meant: who has what, to see what is wrong. */
import { type Presence, TaskVersionError, UnknownTaskError, versionsOf } from '@poolmq/shared'

/** What is known of a host's tasks. */
export type TaskSource = Pick<Presence, 'host' | 'pid' | 'tasks' | 'taskVersions' | 'build'>

/** Hosts that a message names. */
const mostHolders = 10
/** Hosts that an error's field has. */
const mostToldHolders = 100

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

/** The error for a task that its holders have in other versions. */
export function unknownVersion(taskId: string, version: string, sources: readonly TaskSource[]): TaskVersionError {
  const holders = sources.map((source) => {
    const { host, pid, build } = source
    return { host, pid, versions: versionsOf(source, taskId), ...(build !== undefined && { build }) }
  })
  const list = holders.slice(0, mostHolders).map(({ host, pid, versions, build }) => {
    const has = versions.length === 0 ? 'has it without a version' : `has ${versions.map(quoted).join(' and ')}`
    return `${host}:${pid} ${has}${build === undefined ? '' : ` (build ${build})`}`
  })
  const more = holders.length > mostHolders ? `, and ${holders.length - mostHolders} more hosts` : ''
  return new TaskVersionError(
    `no worker of the pool has the task ${quoted(taskId)} in version ${quoted(version)}: ${list.join(', ')}${more}; ` +
      'start hosts of that version before the producers that call it, and end the old ones after theirs',
    { taskId, version, holders: holders.slice(0, mostToldHolders) },
  )
}

const quoted = (text: string): string => JSON.stringify(text)

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
