/**
 * How many processors this process may use: those that it may run on, or fewer where a control group (the limit of a container)
 * gives it less time than theirs. Older versions of Node.js tell the first only: in a container with half a processor, on
 * a machine with 64, they would have a host start 64 worker processes.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'

type Read = (path: string) => string | undefined

/** @param read - the text of a file; undefined when it is not there */
export function availableCores(
  read: (path: string) => string | undefined = textOf,
  most = availableParallelism(),
): number {
  return Math.max(1, Math.min(most, Math.floor(quota(read))))
}

/** The processors' time that the control groups of this process have, each within those above it; in a second, in seconds. */
function quota(read: Read): number {
  let least = Number.POSITIVE_INFINITY
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (path === undefined) continue
    const isFirst = controllers?.split(',').includes('cpu') === true // of the two versions of control groups
    if (!isFirst && controllers !== '') continue
    for (const group of groupsOf(path))
      least = Math.min(least, isFirst ? firstQuota(read, group) : secondQuota(read, group))
  }
  return least
}

/** A group and those that it is in; in a container its own is the outermost, whatever its path outside. */
function groupsOf(path: string): string[] {
  return path === '/' ? [''] : [path, ...groupsOf(dirname(path))]
}

function firstQuota(read: Read, group: string): number {
  const [time, period] = ['quota', 'period'].map((what) =>
    Number(read(`/sys/fs/cgroup/cpu${group}/cpu.cfs_${what}_us`)),
  )
  return ratio(time, period)
}

function secondQuota(read: Read, group: string): number {
  const [time, period] = (read(`/sys/fs/cgroup${group}/cpu.max`) ?? '').split(' ').map(Number)
  return ratio(time, period)
}

/** Infinity where there is no limit: `max`, -1, or no such file. */
function ratio(time = Number.NaN, period = Number.NaN): number {
  return time > 0 && period > 0 ? time / period : Number.POSITIVE_INFINITY
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
