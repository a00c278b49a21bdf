import { randomBytes } from 'node:crypto'

/** A name that no other test, file or run has: named pools of the same name share their keys and their workers. */
export function uniqueName(of: string): string {
  return `${of}-${randomBytes(6).toString('hex')}`
}
