/**
 * What there is once in a process, whatever the number of copies of this package in it: a task module may resolve another
 * installed copy than the worker process that imports it, and both must mean the same tasks, the same running task and
 * the same classes of errors. Copies that would not understand each other say so where the second one is loaded.
 */

interface Registry {
  /** What the parts look like; raised when one of them changes. */
  readonly layout: number
  /** The copy that made it. */
  readonly by: string
  readonly parts: Map<string, unknown>
}

const layout = 1
const key = Symbol.for('poolmq.registry')
const globals = globalThis as { [key]?: Registry }

globals[key] ??= { layout, by: import.meta.url, parts: new Map() }
const registry = globals[key]
if (registry.layout !== layout) {
  throw new Error(
    `two copies of PoolMQ in this process do not go together: ${registry.by} and ${import.meta.url} keep what a process ` +
      'has once in different forms. Install one version for the program and its task modules (npm ls @poolmq/shared)',
  )
}

/** The part of this name, made by the first copy that asks for it. */
export function oncePerProcess<T>(name: string, make: () => T): T {
  if (!registry.parts.has(name)) registry.parts.set(name, make())
  return registry.parts.get(name) as T
}
