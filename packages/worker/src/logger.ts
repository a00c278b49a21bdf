import { createRequire } from 'node:module'
import { hostname } from 'node:os'
import type { DestinationStream, Logger, pino } from 'pino'
import type pretty from 'pino-pretty'

/** What is logged, and when: pino's methods. */
export type Log = Pick<Logger, 'trace' | 'debug' | 'info' | 'warn' | 'error'>

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** Characters that wait to be written while there is no room; what is more is dropped. */
const mostUnwritten = 65_536

/**
 * Logs on standard error: as JSON lines, on a terminal as readable ones. On each stand the process, its host, and what it is
 * about (`about`: the pool). `POOLMQ_LOG` sets the level: `trace`, `debug`, `info`, `warn` (the default),
 * `error`, `fatal`, `silent`. pino is loaded with the first line that is written: most processes write none.
 */
export function createLogger(role: string, about: object = {}): Log {
  const wanted = levels.indexOf(process.env.POOLMQ_LOG as (typeof levels)[number])
  const level = levels[wanted] ?? 'warn'
  let logger: Logger | undefined
  const write = (name: keyof Log) => {
    if (levels.indexOf(name) < levels.indexOf(level)) return () => undefined
    return (...entry: Parameters<Logger['warn']>) => {
      try {
        logger ??= open(role, level, about)
      } catch {
        return // there is no room to load it (no descriptor is left): the line is lost, and not the process
      }
      logger[name](...entry)
    }
  }
  const log = Object.fromEntries(levels.slice(0, 5).map((name) => [name, write(name as keyof Log)]))
  return log as unknown as Log
}

function open(role: string, level: string, about: object): Logger {
  const make = createRequire(import.meta.url)('pino') as typeof pino
  const serializers = { err: (error: unknown) => withoutArguments(make.stdSerializers.err(error as Error)) }
  const destination = make.destination({ dest: 2, sync: true, maxLength: mostUnwritten })
  destination.on('error', () => undefined) // nobody reads it, or the disk is full: a log ends no process
  const base = { pid: process.pid, host: hostname(), ...about }
  const stream = process.stderr.isTTY === true ? readable(destination) : destination
  return make({ name: `poolmq-${role}`, base, level, serializers }, stream)
}

/** One readable line for each, for a person at a terminal. */
function readable(destination: DestinationStream): DestinationStream {
  const { prettyFactory } = createRequire(import.meta.url)('pino-pretty') as typeof pretty
  const format = prettyFactory({ colorize: true, singleLine: true, ignore: 'pid,host,name', translateTime: 'HH:MM:ss' })
  return { write: (line) => destination.write(format(line)) }
}

/** An error of Redis carries the command that it refused: scripts of kilobytes, and the user's data, which no log is for. */
function withoutArguments(error: unknown): unknown {
  if (typeof error !== 'object' || error === null || !('command' in error)) return error
  return { ...error, command: (error.command as { name?: unknown } | undefined)?.name }
}
