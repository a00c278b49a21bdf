/** Imports the task modules of a worker process. Only what its own command line or its own Pool names is imported. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { becomeWorker, ModuleError, taskIds, taskModules } from '@poolmq/shared'

/** The URL of a module named on a command line: a URL, or a path relative to the working directory. */
export function moduleUrl(name: string): string {
  return /^(file|data|node):/.test(name) ? name : pathToFileURL(resolve(name)).href
}

/**
 * @throws ModuleError naming the module: it does not load, defines no tasks, or defines an id that is defined already.
 */
export async function loadModules(urls: readonly string[]): Promise<void> {
  becomeWorker()
  for (const url of urls) {
    const before = taskIds().length
    const known = taskModules().includes(url)
    try {
      await import(url)
    } catch (cause) {
      if (cause instanceof ModuleError) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new ModuleError(`the task module ${url} does not load: ${reason}`, { module: url, cause })
    }
    if (taskIds().length === before && !known) {
      throw new ModuleError(
        `the task module ${url} defines no tasks; it must call defineTasks(import.meta.url, namespace, { … })`,
        { module: url },
      )
    }
  }
}
