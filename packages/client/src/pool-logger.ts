/**
 * What a Pool tells of itself beside its results: to a logger that it was given, and to nobody else. The few things that no
 * user should miss are process warnings where there is none.
 */
import { AsyncResource } from 'node:async_hooks'
import { attempt } from '@poolmq/shared'

/** Where a Pool logs: a logger of pino's, or of anything else with these methods. */
export interface PoolLogger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

type Level = keyof PoolLogger

export class PoolLog {
  readonly #write: ((level: Level, fields: object, message: string) => void) | undefined

  /** @param about - on every line: the pool, its client */
  constructor(logger: PoolLogger | undefined, about: object) {
    if (logger === undefined) return
    // It is called in the context in which the pool was made, not in that of whoever happens to wake it.
    this.#write = AsyncResource.bind((level: Level, fields: object, message: string) => {
      try {
        logger[level]({ ...about, ...fields }, message)
      } catch (error) {
        const what = attempt(() => String(error)) ?? 'something that cannot be read'
        process.emitWarning(`the logger of a Pool has thrown: ${what}`, { code: 'POOLMQ_LOGGER' })
      }
    })
  }

  get isHeard(): boolean {
    return this.#write !== undefined
  }

  tell(level: Level, message: string, fields: object = {}): void {
    this.#write?.(level, fields, message)
  }

  /** What no user should miss. @param code - of the process warning, where nobody logs */
  warn(code: string, message: string): void {
    if (this.#write === undefined) process.emitWarning(message, { code })
    else this.#write('warn', { code }, message)
  }
}
