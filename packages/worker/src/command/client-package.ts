/**
 * The producer's package, for the commands that call tasks. Hosts need none of it, so it is no dependency: it is looked for
 * beside this package, then where the command is run.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CommandFailure } from './exit-code.js'

/** What of it is used here. */
export interface ClientPackage {
  readonly Pool: new (options: { name: string; connection: string }) => CallingPool
  readonly taskRefs: (namespace: string) => Record<string, unknown>
}

export interface CallingPool {
  apply(task: unknown, args: unknown[], kwds: undefined, options: object): Promise<unknown>
  imap(task: unknown, items: AsyncIterable<unknown>, options: object): AsyncIterableIterator<unknown>
  istarmap(task: unknown, items: AsyncIterable<unknown>, options: object): AsyncIterableIterator<unknown>
  hosts(): Promise<readonly unknown[]>
  terminate(): Promise<void>
}

const name = '@poolmq/client'

/** @throws CommandFailure when it is not installed. */
export async function loadClient(): Promise<ClientPackage> {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      const manifest = createRequire(from).resolve(`${name}/package.json`)
      return (await import(new URL('dist/index.js', pathToFileURL(manifest)).href)) as ClientPackage
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    }
  }
  throw new CommandFailure(`this command calls tasks and needs ${name}, which is not installed: npm install ${name}`)
}

/** A reference to the task of this id: `namespace.key`. */
export function taskOf(client: ClientPackage, id: string): unknown {
  const dot = id.indexOf('.')
  return client.taskRefs(id.slice(0, dot))[id.slice(dot + 1)]
}
