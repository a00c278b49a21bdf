/**
 * What a process knows of tasks: by id, as the id is all that both sides share. A module may be evaluated again under
 * another URL (`./tasks.js?t=2`: hot reload, test runners). A producer then has its last definition; a worker keeps each,
 * by the mark of its module, so that a reference runs the code that it stands for.
 */
import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ModuleError } from './errors/errors.js'
import { oncePerProcess } from './process-registry.js'

/** Any function that can be a task. */
// biome-ignore lint/suspicious/noExplicitAny: a task's parameters are the user's own; `unknown` would refuse them all.
export type TaskFunction = (...args: any[]) => unknown

interface Version {
  readonly run: TaskFunction
  /** What its author calls it; undefined: nothing. */
  readonly name: string | undefined
}

interface Definition {
  /** The URL under which its module was evaluated last. */
  url: string
  /** It was evaluated under several. */
  reloaded: boolean
  /** What to run, by the mark of the URL; the first one stands for the id alone. Of a producer, the last one only. */
  readonly versions: Map<string, Version>
}

interface TaskTable {
  readonly byId: Map<string, Definition>
  /** This process is a worker: a module that defines an id twice is an error. */
  isWorker: boolean
}

const table = oncePerProcess<TaskTable>('tasks', () => ({ byId: new Map(), isWorker: false }))

/**
 * @param run - what a worker runs
 * @param version - what its author calls it
 * @throws ModuleError when another module has defined the id, or, in a worker, this module itself.
 */
export function addTask(id: string, url: string, run: TaskFunction, version?: string): void {
  const known = table.byId.get(id)
  const isSame = known === undefined || (known.url === url ? !table.isWorker : moduleOf(known.url) === moduleOf(url))
  if (!isSame) {
    throw new ModuleError(
      `task ${id} is defined twice: by ${known.url} and by ${url}; give one of them another namespace`,
      { module: url },
    )
  }
  const definition = known ?? { url, reloaded: false, versions: new Map() }
  if (!table.isWorker) definition.versions.clear()
  definition.versions.set(moduleMark(url), { run, name: version })
  definition.reloaded ||= definition.url !== url
  definition.url = url
  table.byId.set(id, definition)
}

/**
 * What to run for an id: as the module of this mark defines it, where it does; undefined when no loaded module does, or none
 * in the version that is asked for.
 */
export function findTask(id: string, mark?: string, version?: string): TaskFunction | undefined {
  const versions = table.byId.get(id)?.versions
  const meant = mark === undefined ? undefined : versions?.get(mark)
  if (version === undefined) return (meant ?? versions?.values().next().value)?.run
  const found = meant ?? [...(versions?.values() ?? [])].find(({ name }) => name === version)
  return found?.name === version ? found.run : undefined
}

/** Whether an id is defined in this process, in whatever version. */
export function isDefined(id: string): boolean {
  return table.byId.has(id)
}

/** The versions of each task in this process that has one. */
export function taskVersions(): Record<string, string[]> {
  const named: [id: string, names: string[]][] = []
  for (const [id, { versions }] of table.byId) {
    const names = [...versions.values()].flatMap(({ name }) => name ?? [])
    if (names.length > 0) named.push([id, [...new Set(names)]])
  }
  return Object.fromEntries(named)
}

/** Takes back what a module has defined before it threw. */
export function forgetModule(url: string): void {
  for (const [id, { versions }] of table.byId) {
    versions.delete(moduleMark(url))
    if (versions.size === 0) table.byId.delete(id)
  }
}

/** Whether the id alone does not say which code is meant. */
export function isReloaded(id: string): boolean {
  return table.byId.get(id)?.reloaded === true
}

/** The ids defined in this process, sorted. */
export function taskIds(): string[] {
  return [...table.byId.keys()].sort()
}

/** The URLs of the modules that have defined tasks in this process, each as it was evaluated last. */
export function taskModules(): string[] {
  return [...new Set([...table.byId.values()].map((entry) => entry.url))]
}

/** Makes this process (or thread) a worker: from now on an id that a module defines twice is an error. */
export function becomeWorker(): void {
  table.isWorker = true
}

/**
 * Whether this code runs in a worker process or thread of PoolMQ, which imports the modules that define tasks. A program
 * that defines tasks in its main file asks before it makes a Pool, as Python's asks `if __name__ == '__main__'`.
 */
export function isWorker(): boolean {
  return table.isWorker
}

/** What a module's URL is called where it travels: the URL itself stays in the process. */
export function moduleMark(url: string): string {
  return createHash('sha256').update(url).digest('base64url').slice(0, 12)
}

/** The module itself, whatever the query of its URL and the links on its path. */
export function moduleOf(url: string): string {
  if (!url.startsWith('file:')) return url
  const bare = url.replace(/[?#].*$/, '')
  try {
    return realpathSync(fileURLToPath(bare))
  } catch {
    return bare // a file that is gone, or that only a loader knows
  }
}
