/** The pools whose initializer fails on this host: how long the next try waits, and which pools are given up. */
import type { WireError } from '@poolmq/shared'

/** Tries that an initializer has, one after the other. */
const maxTries = 3

export class InitializerFailures {
  readonly #failures = new Map<string, number>()
  readonly #broken = new Map<string, WireError>()

  /** The pools that are given up, with their last error, by client. */
  get broken(): [clientId: string, error: WireError][] {
    return [...this.#broken]
  }

  /** Returns the milliseconds before the next worker process starts: 100, 200, and then it need not wait. */
  failed(clientId: string, error: WireError): number {
    const failures = (this.#failures.get(clientId) ?? 0) + 1
    this.#failures.set(clientId, failures)
    if (failures < maxTries) return 50 * 2 ** failures
    this.#broken.set(clientId, error)
    return 0
  }

  /** It has succeeded: only failures in a row count. */
  succeeded(clientId: string): void {
    this.#failures.delete(clientId)
  }
}
