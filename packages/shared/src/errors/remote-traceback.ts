import { attempt } from '../attempt.js'
import { isError } from '../payload/payload-kind.js'

import { acceptCopies, brandClass } from './error-brand.js'

const OPENING = '\n"""\n'
const CLOSING = '\n"""'

/**
 * Where an error was thrown in another process. It ends the `cause` chain of every error that comes from there, as
 * Python's class of the same name does.
 *
 * @example
 * ```ts
 * const remote = RemoteTraceback.of(error)
 * if (remote) console.error(remote.text) // Error: boom\n    at resize (file:///srv/app/tasks.js:12:9) …
 * ```
 */
export class RemoteTraceback extends Error {
  /** The index of the item that failed, in the input of its call. Absent where a call has no items: an `apply`. */
  declare readonly index?: number

  constructor(text: string, options: { readonly cause?: unknown; readonly index?: number } = {}) {
    super(quote(text), 'cause' in options ? { cause: options.cause } : undefined)
    const { index } = options
    if (index !== undefined)
      Object.defineProperty(this, 'index', { value: index, enumerable: true, configurable: true })
    // Where this object was made says nothing; loggers that print only stacks shall print the remote one.
    Object.defineProperty(this, 'stack', {
      value: `RemoteTraceback: ${quote(text)}`,
      writable: true,
      configurable: true,
    })
  }

  /** The stack as it was written there, with file and line of the task. */
  get text(): string {
    // Kept in the message alone, which every way of carrying and logging an error knows.
    return this.message.slice(OPENING.length, -CLOSING.length)
  }

  /** The traceback of an error, or `undefined` when it was not thrown in another process. */
  static of(error: unknown): RemoteTraceback | undefined {
    const seen = new Set<unknown>()
    for (let at = error; isError(at) && !seen.has(at); at = attempt(() => (at as Error).cause)) {
      if (at instanceof RemoteTraceback) return at
      seen.add(at)
    }
    return undefined
  }

  override toString(): string {
    return this.message
  }
}

brandClass('RemoteTraceback', RemoteTraceback.prototype)
acceptCopies(RemoteTraceback)

function quote(text: string): string {
  return OPENING + text + CLOSING
}
