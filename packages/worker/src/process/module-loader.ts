/** Imports the task modules of a worker process. Only what its own command line or its own Pool names is imported. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import {
  becomeWorker,
  Deferred,
  forgetModule,
  isError,
  ModuleError,
  moduleMark,
  moduleOf,
  taskIds,
  taskModules,
} from '@poolmq/shared'
import { importFailure } from './import-failure.js'

/** The URL of a module named on a command line: a URL, or a path relative to the working directory. */
export function moduleUrl(name: string): string {
  return /^(file|data|node):/.test(name) ? name : pathToFileURL(resolve(name)).href
}

/** The task modules of one worker process: those that it starts with, and those that its Pool begins to use later. */
export class TaskModules {
  /** What is wrong with each, by its mark; settled when it is loaded, or is not. */
  readonly #failures = new Map<string, Promise<unknown>>()
  /** The marks of those that are loaded. */
  readonly #loaded = new Set<string>()
  readonly #started = new Deferred()
  #loading = 0
  #last: Promise<unknown> = this.#started.promise
  readonly #onLoading: (url: string | undefined) => void

  /** @param onLoading - told which is being loaded; undefined: none */
  constructor(onLoading: (url: string | undefined) => void = () => undefined) {
    this.#onLoading = onLoading
  }

  /** @throws ModuleError for the first that is none: without what it was started for, a worker process does not start. */
  async start(urls: readonly string[]): Promise<void> {
    becomeWorker()
    for (const url of urls) {
      await this.#load(url)
      this.#failures.set(moduleMark(url), Promise.resolve(undefined))
      this.#loaded.add(moduleMark(url))
    }
    this.#started.resolve()
  }

  /** Loads more, one after the other. What is wrong with one is told to those who ask for it, and to nobody else. */
  load(urls: readonly string[]): void {
    for (const url of urls) {
      const mark = moduleMark(url)
      if (this.#failures.has(mark)) continue
      this.#loading++
      const failure = this.#last
        .then(() => this.#load(url))
        .then(
          () => void this.#loaded.add(mark),
          (error: unknown) => error,
        )
        .finally(() => this.#loading--)
      this.#failures.set(mark, failure)
      this.#last = failure
    }
  }

  async #load(url: string): Promise<void> {
    this.#onLoading(url)
    try {
      await loadModule(url)
    } finally {
      this.#onLoading(undefined)
    }
  }

  /** Whether nothing is being loaded, and the module of this mark, if one is given, is loaded. */
  isLoaded(mark?: string): boolean {
    return this.#loading === 0 && (mark === undefined || this.#loaded.has(mark))
  }

  /** Whether the module of this mark is one of them. Waits until those that are being loaded are. @throws ModuleError */
  async has(mark: string): Promise<boolean> {
    const failure = await this.#failures.get(mark)
    if (failure !== undefined) throw failure
    return this.#failures.has(mark)
  }

  /** What is wrong with those that do not load: undefined when all do. */
  async failure(): Promise<unknown> {
    const failures = (await Promise.all(this.#failures.values())).filter((failure) => failure !== undefined)
    if (failures.length < 2) return failures[0]
    return new ModuleError(failures.map((failure) => (failure as Error).message).join('; '))
  }

  /** Resolves when all that were named are loaded, or are not. */
  async settled(): Promise<void> {
    await this.#last
  }
}

/** @throws ModuleError naming the module: it does not load, defines no tasks, or defines an id that is defined already. */
async function loadModule(url: string): Promise<void> {
  const before = taskIds().length
  const known = new Set(taskModules())
  try {
    await import(url)
  } catch (cause) {
    // What it imports may have loaded; Node remembers of each module whether it has.
    const begun = taskModules().filter((defined) => !known.has(defined))
    for (const defined of begun) await import(defined).catch(() => forgetModule(defined))
    if (isError(cause) && cause instanceof ModuleError) throw cause
    throw await importFailure(url, cause)
  }
  if (taskIds().length > before || definesTasks(url) || (await definesTasksAlone(url))) return
  throw new ModuleError(
    `the task module ${url} defines no tasks; it must call defineTasks(import.meta.url, namespace, { … }), in CommonJS ` +
      'defineTasks(__filename, …)',
    { module: url },
  )
}

/** It may be known by another URL: with a query, or through a link. */
function definesTasks(url: string): boolean {
  return taskModules().some((known) => moduleOf(known) === moduleOf(url))
}

/**
 * A module that imports others which define tasks adds none when they were loaded before it. Whether it is one of these
 * shows where nothing is loaded yet: in a thread of its own.
 */
function definesTasksAlone(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const thread = new Worker(new URL('./module-trial.js', import.meta.url), { workerData: url })
    // What does not load there (an add-on that threads cannot use) has loaded here.
    const tell = (answer: boolean) => {
      resolve(answer)
      void thread.terminate()
    }
    thread.once('message', tell)
    thread.once('error', () => tell(true))
    thread.once('exit', () => tell(true))
  })
}
