/**
 * Tasks: functions that are referred to by name, so that code never travels.
 *
 * `defineTasks` names the functions of a module; `taskRefs` names them from types alone, for a producer that has no
 * implementation. On the wire goes the id (`namespace.key`) only. The module's URL stays in the process: the local
 * worker processes that a Pool starts import it; remote workers import the modules of their own command line.
 */
import { ModuleError } from './errors/errors.js'

/** Any function that can be a task. */
// biome-ignore lint/suspicious/noExplicitAny: a task's parameters are the user's own; `unknown` would refuse them all.
export type TaskFunction = (...args: any[]) => unknown

/** What a process knows of a task. */
export interface TaskInfo {
  /** `namespace.key`: what goes on the wire. */
  readonly id: string
  /** The URL of the module that defines it; absent for a reference made by {@link taskRefs}. */
  readonly url?: string
}

declare const signature: unique symbol
const infoKey = Symbol.for('poolmq.task')

/**
 * A reference to a task with the signature `F`: what every method of a Pool takes in the place where Python takes a
 * function. Made by {@link defineTasks} or {@link taskRefs}.
 */
export interface TaskRef<F extends TaskFunction> {
  readonly [signature]: F
}

/** A defined task: the plain function itself, callable and testable as it is, and a reference to it. */
export type Task<F extends TaskFunction> = F & TaskRef<F>

/** The tasks of a namespace, by key. */
export type Tasks<T extends Record<string, TaskFunction>> = { readonly [K in keyof T]: Task<T[K]> }

/** References to the tasks of a namespace, by key. */
export type TaskRefs<T extends Record<string, TaskFunction>> = {
  readonly [K in keyof T]: T[K] extends TaskRef<infer F> ? TaskRef<F> : TaskRef<T[K]>
}

/** All tasks defined in this process, by id. */
class TaskTable {
  readonly byId = new Map<string, { readonly task: TaskFunction; readonly url: string }>()
  /** In a worker an id that is defined twice is an error; in a producer a module may be evaluated again (tests, HMR). */
  strict = false
}

// One table per process even when two copies of this package are installed, as the id is all that both sides share.
const tableKey = Symbol.for('poolmq.task-table')
const globals = globalThis as { [tableKey]?: TaskTable }
if (globals[tableKey] === undefined) globals[tableKey] = new TaskTable()
const table = globals[tableKey]

const namePattern = /^[A-Za-z_$][\w$-]*$/

/**
 * Names functions as tasks.
 *
 * @param url - `import.meta.url` of the module that calls it. Worker processes started by a Pool import this module.
 * @param namespace - letters, digits, `_`, `$`, `-`; with the key it makes the id, unique among a worker's modules.
 * @param functions - plain functions, sync or async. They are returned as they are, and stay callable.
 * @throws TypeError when an argument is not of that form.
 * @throws ModuleError (`ERR_POOL_MODULE`) when an id is defined already by another module.
 * @example
 * ```ts
 * export const math = defineTasks(import.meta.url, 'math', { square: (x: number) => x * x })
 * ```
 */
export function defineTasks<const T extends Record<string, TaskFunction>>(
  url: string,
  namespace: string,
  functions: T,
): Tasks<T> {
  if (typeof url !== 'string' || !URL.canParse(url)) {
    throw new TypeError(`defineTasks: the first argument must be import.meta.url, got ${String(url)}`)
  }
  if (typeof namespace !== 'string' || !namePattern.test(namespace)) {
    throw new TypeError(`defineTasks: the namespace must match ${namePattern}, got ${JSON.stringify(namespace)}`)
  }
  const tasks: Record<string, TaskFunction> = {}
  for (const [key, fn] of Object.entries(functions)) {
    if (!namePattern.test(key)) {
      throw new TypeError(`defineTasks: task names must match ${namePattern}, got ${JSON.stringify(key)}`)
    }
    if (typeof fn !== 'function') {
      throw new TypeError(`defineTasks: ${namespace}.${key} must be a function, got ${typeof fn}`)
    }
    tasks[key] = define({ id: `${namespace}.${key}`, url }, fn)
  }
  return Object.freeze(tasks) as Tasks<T>
}

function define(info: Required<TaskInfo>, fn: TaskFunction): TaskFunction {
  const known = table.byId.get(info.id)
  if (known !== undefined && (table.strict || withoutQuery(known.url) !== withoutQuery(info.url))) {
    throw new ModuleError(
      `task ${info.id} is defined twice: by ${known.url} and by ${info.url}; give one of them another namespace`,
      { module: info.url },
    )
  }
  // A function that is a task already (under another id) keeps its first identity; the second gets a function of its own.
  const task = Object.hasOwn(fn, infoKey) || !Object.isExtensible(fn) ? (...args: unknown[]) => fn(...args) : fn
  Object.defineProperty(task, infoKey, { value: Object.freeze(info), configurable: true })
  table.byId.set(info.id, { task, url: info.url })
  return task
}

const withoutQuery = (url: string): string => url.replace(/[?#].*$/, '')

/**
 * References to tasks that this process does not have: types only, nothing is imported.
 *
 * @example
 * ```ts
 * const remote = taskRefs<typeof import('./tasks.js').math>('math')
 * await pool.map(remote.square, [1, 2, 3])
 * ```
 */
export function taskRefs<T extends Record<string, TaskFunction>>(namespace: string): TaskRefs<T> {
  if (typeof namespace !== 'string' || !namePattern.test(namespace)) {
    throw new TypeError(`taskRefs: the namespace must match ${namePattern}, got ${JSON.stringify(namespace)}`)
  }
  const refs = new Map<string, object>()
  return new Proxy(Object.freeze({}), {
    get(_, key) {
      // `then` must be absent: else `await refs` would take the references for a promise.
      if (typeof key !== 'string' || key === 'then') return undefined
      let ref = refs.get(key)
      if (ref === undefined) {
        ref = Object.freeze({ [infoKey]: Object.freeze({ id: `${namespace}.${key}` }) })
        refs.set(key, ref)
      }
      return ref
    },
  }) as TaskRefs<T>
}

/**
 * The id and the module of a task.
 *
 * @throws TypeError when `value` is not a task, saying how to define one.
 */
export function taskInfo(value: unknown): TaskInfo {
  const info = (value as { [infoKey]?: TaskInfo } | null | undefined)?.[infoKey]
  if (info !== undefined) return info
  const what =
    typeof value === 'function'
      ? `the plain function ${value.name === '' ? '(anonymous)' : value.name}`
      : value === null
        ? 'null'
        : typeof value
  throw new TypeError(
    `expected a task, got ${what}. Functions do not travel to other processes; name them in a module: ` +
      `export const tasks = defineTasks(import.meta.url, 'tasks', { name: fn }), and pass tasks.name`,
  )
}

/** The function behind an id, as defined in this process; undefined when no loaded module defines it. */
export function findTask(id: string): TaskFunction | undefined {
  return table.byId.get(id)?.task
}

/** The ids defined in this process, sorted. */
export function taskIds(): string[] {
  return [...table.byId.keys()].sort()
}

/** The URLs of the modules that have defined tasks in this process. */
export function taskModules(): string[] {
  return [...new Set([...table.byId.values()].map((entry) => entry.url))]
}

/** Makes this process (or thread) a worker: from now on an id that is defined twice is an error, whoever does it. */
export function becomeWorker(): void {
  table.strict = true
}

/**
 * Whether this code runs in a worker process or thread of PoolMQ, which imports the modules that define tasks. A program
 * that defines tasks in its main file asks before it makes a Pool, as Python's asks `if __name__ == '__main__'`.
 */
export function isWorker(): boolean {
  return table.strict
}
