/**
 * Tasks: functions that are referred to by name, so that code never travels.
 *
 * `defineTasks` names the functions of a module; `taskRefs` names them from types alone, for a producer that has no
 * implementation. On the wire goes the id (`namespace.key`) only. The module's URL stays in the process: the local
 * worker processes that a Pool starts import it; remote workers import the modules of their own command line.
 */
import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { addTask, type TaskFunction } from './task-table.js'
import { knownOptions, shortText } from './validate.js'
import { describeValue } from './value-description.js'

/** What a process knows of a task. */
export interface TaskInfo {
  /** `namespace.key`: what goes on the wire. */
  readonly id: string
  /** The URL of the module that defines it; absent for a reference made by {@link taskRefs}. */
  readonly url?: string
  /** The version that is meant; absent: any. */
  readonly version?: string
}

/** Options of {@link defineTasks} and {@link taskRefs}. */
export interface TaskOptions {
  /**
   * The version of these tasks, 1 to 100 characters of your choice. It travels with every call, which only runs where the same
   * tasks are defined with the same version: elsewhere it is left to a host that has them, and when no live one does it fails
   * with {@link TaskVersionError}. So in a rolling deploy arguments never meet a signature that they were not made for. Raise
   * it when what a task takes or gives changes.
   *
   * Calls without a version run wherever the task is known, whatever its version.
   *
   * @defaultValue none: there are no options
   */
  readonly version: string
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
export type Tasks<T> = { readonly [K in keyof T]: Task<Extract<T[K], TaskFunction>> }

/** Why something is not taken for a task: the compiler's message quotes it. */
export interface NotATask {
  readonly 'a task must be a function': never
}

/**
 * What {@link defineTasks} takes: functions. It says nothing of their parameters, so that one without a type is an error
 * under `strict`; what a constraint to functions would tell of them is `any`.
 */
export type TaskFunctions<T> = {
  readonly [K in keyof T]: unknown extends T[K] ? unknown : T[K] extends TaskFunction ? unknown : NotATask
}

/** References to the tasks of a namespace, by key. */
export type TaskRefs<T extends Record<string, TaskFunction>> = {
  readonly [K in keyof T]: T[K] extends TaskRef<infer F> ? TaskRef<F> : TaskRef<T[K]>
}

const namePattern = /^[A-Za-z_$][\w$-]*$/

/**
 * Names functions as tasks.
 *
 * @param module - `import.meta.url` of the module that calls it, in CommonJS `__filename`. Worker processes started by a
 *   Pool import this module.
 * @param namespace - letters, digits, `_`, `$`, `-`; with the key it makes the id, unique among a worker's modules.
 * @param functions - an object of plain functions, sync or async. They are returned as they are, and stay callable. In a
 *   worker, `this` is that object. Of an instance of a class, the tasks are its methods, inherited ones too, each bound to it.
 * @param options - {@link TaskOptions}: their version.
 * @throws TypeError when an argument is not of that form; RangeError for a version that is empty or too long.
 * @throws ModuleError (`ERR_POOL_MODULE`) when an id is defined already by another module.
 * @example
 * ```ts
 * export const math = defineTasks(import.meta.url, 'math', { square: (x: number) => x * x })
 * ```
 */
export function defineTasks<const T extends object>(
  module: string,
  namespace: string,
  functions: T & TaskFunctions<T>,
  options?: TaskOptions,
): Tasks<T> {
  const url = importable(module)
  if (typeof namespace !== 'string' || !namePattern.test(namespace)) {
    throw new TypeError(`defineTasks: the namespace must match ${namePattern}, got ${JSON.stringify(namespace)}`)
  }
  if (typeof functions !== 'object' || functions === null || Array.isArray(functions)) {
    throw new TypeError(
      `defineTasks: the third argument must be an object of functions, got ${kindOf(functions)}; write ` +
        `defineTasks(import.meta.url, ${JSON.stringify(namespace)}, { name: fn })`,
    )
  }
  const version = versionOf('defineTasks', options)
  const tasks: Record<string, TaskFunction> = {}
  for (const [key, fn] of functionsOf(functions)) {
    if (!namePattern.test(key)) {
      throw new TypeError(`defineTasks: task names must match ${namePattern}, got ${JSON.stringify(key)}`)
    }
    if (typeof fn !== 'function') {
      throw new TypeError(`defineTasks: ${namespace}.${key} must be a function, got ${kindOf(fn)}`)
    }
    tasks[key] = define({ id: `${namespace}.${key}`, url, ...version }, fn as TaskFunction, functions)
  }
  return Object.freeze(tasks) as Tasks<T>
}

/** Options that are there must have a version: `undefined` would be a variable that is not set, and protect from nothing. */
function versionOf(caller: string, options: unknown): Pick<TaskInfo, 'version'> {
  if (options === undefined) return {}
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${caller}: the options must be an object, as { version: '2' }, got ${describeValue(options)}`)
  }
  knownOptions(caller, options, ['version'])
  const { version } = options as Partial<TaskOptions>
  return { version: shortText(`${caller}: version`, version, 'without a version, leave the options out') }
}

/** What `import.meta.url` and `__filename` are in code that Node.js was given without a file. */
const noFile = /(?:^|\/)\[(?:eval|stdin|worker eval)\d*\]$/

/** The URL of the module that calls, given as a URL or as an absolute path. */
function importable(module: unknown): string {
  const isText = typeof module === 'string'
  if (isText && isAbsolute(module)) return pathToFileURL(module).href
  const isInNoFile = isText && noFile.test(module) && !(module.startsWith('file:') && existsSync(new URL(module)))
  // A drive letter of Windows reads as a scheme.
  if (isText && URL.canParse(module) && !/^[a-z]:/i.test(module) && !isInNoFile) return module
  const hint = isInNoFile
    ? '. Code that `node -e`, standard input or a REPL runs is in no file, and worker processes import files: define the tasks ' +
      'in a module of their own, and import it'
    : module instanceof URL
      ? '; write .href behind it'
      : isText && namePattern.test(module)
        ? `; it goes before the namespace: defineTasks(import.meta.url, ${JSON.stringify(module)}, { … })`
        : isText
          ? '; of a path, write pathToFileURL(path).href, with pathToFileURL from node:url'
          : ''
  const got = isText ? JSON.stringify(module) : kindOf(module)
  throw new TypeError(
    `defineTasks: the first argument must be import.meta.url (in CommonJS __filename), got ${got}${hint}`,
  )
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  return value instanceof URL ? 'a URL object' : typeof value
}

/**
 * The functions of an object, by name. Of a plain object that is each of its properties; of an instance of a class its
 * methods, inherited ones too, and the properties that are functions: what else it holds is its own business.
 */
function functionsOf(object: object): [key: string, fn: unknown][] {
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(object))
  if (isPlain) return Object.entries(object)
  const names = new Set(Object.keys(object))
  let prototype: object | null = Object.getPrototypeOf(object)
  // Up to Object.prototype, of whatever realm.
  while (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    for (const name of Object.getOwnPropertyNames(prototype)) if (name !== 'constructor') names.add(name)
    prototype = Object.getPrototypeOf(prototype)
  }
  return [...names]
    .map((name): [string, unknown] => [name, (object as Record<string, unknown>)[name]])
    .filter(([, value]) => typeof value === 'function')
}

function define(info: TaskInfo & { readonly url: string }, fn: TaskFunction, owner: object): TaskFunction {
  const bound = fn.bind(owner)
  addTask(info.id, info.url, bound, info.version)
  // A function that is a task already (under another id) keeps its first identity, and a method is shared by all instances:
  // the task is then a function of its own.
  const isOwn = Object.hasOwn(owner, info.id.slice(info.id.indexOf('.') + 1))
  const task = isOwn && !Object.hasOwn(fn, infoKey) && Object.isExtensible(fn) ? fn : bound
  Object.defineProperty(task, infoKey, { value: Object.freeze(info), configurable: true })
  return task
}

/**
 * References to tasks that this process does not have: types only, nothing is imported.
 *
 * @param options - {@link TaskOptions}: the version that workers must have of them. @defaultValue any
 * @throws TypeError, RangeError when an argument is not of that form.
 * @example
 * ```ts
 * const remote = taskRefs<typeof import('./tasks.js').math>('math')
 * await pool.map(remote.square, [1, 2, 3])
 * ```
 */
export function taskRefs<T extends Record<string, TaskFunction>>(
  namespace: string,
  options?: TaskOptions,
): TaskRefs<T> {
  if (typeof namespace !== 'string' || !namePattern.test(namespace)) {
    throw new TypeError(`taskRefs: the namespace must match ${namePattern}, got ${JSON.stringify(namespace)}`)
  }
  const version = versionOf('taskRefs', options)
  const refs = new Map<string, object>()
  return new Proxy(Object.freeze({}), {
    get(_, key) {
      // `then` must be absent: else `await refs` would take the references for a promise.
      if (typeof key !== 'string' || key === 'then') return undefined
      let ref = refs.get(key)
      if (ref === undefined) {
        ref = Object.freeze({ [infoKey]: Object.freeze({ id: `${namespace}.${key}`, ...version }) })
        refs.set(key, ref)
      }
      return ref
    },
  }) as TaskRefs<T>
}

/**
 * The id and the module of a task.
 *
 * @param place - where it was given, for the message
 * @throws TypeError when `value` is not a task, saying how to define one.
 */
export function taskInfo(value: unknown, place?: string): TaskInfo {
  const info = (value as { [infoKey]?: TaskInfo } | null | undefined)?.[infoKey]
  if (info !== undefined) return info
  const what = describeNoTask(value)
  throw new TypeError(
    `${place === undefined ? '' : `${place}: `}expected a task, got ${what}. Functions do not travel to other processes; name them in a module: ` +
      `export const tasks = defineTasks(import.meta.url, 'tasks', { name: fn }), and pass tasks.name`,
  )
}

function describeNoTask(value: unknown): string {
  if (typeof value === 'function') return `the plain function ${value.name === '' ? '(anonymous)' : value.name}`
  if (value === undefined) return 'undefined (is its name written as in its module?)'
  if (value === null) return 'null'
  const order = Array.isArray(value) ? '; the task comes before the items' : ''
  return `${typeof value} (${describeValue(value)}${order})`
}
