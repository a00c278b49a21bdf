import { createRequire } from 'node:module'
import { hostname } from 'node:os'
import type { DestinationStream, Logger, pino } from 'pino'
import type pretty from 'pino-pretty'
import { LogOutput } from './log-output.js'

/** What is logged, and when: pino's methods. */
export type Log = Pick<Logger, 'trace' | 'debug' | 'info' | 'warn' | 'error'>

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** What `POOLMQ_LOG` says, where that is no level; undefined when it is one, or is not set. */
export function unknownLevel(): string | undefined {
  const wanted = process.env.POOLMQ_LOG ?? ''
  return wanted === '' || levelOf(wanted) !== undefined ? undefined : wanted
}

/** The levels that there are, for messages. */
export const knownLevels = levels.join(', ')

const levelOf = (name: string) => levels.find((level) => level === name.toLowerCase())

/**
 * Logs on standard error: as JSON lines, on a terminal as readable ones. On each stand the process, its host, and what it is
 * about (`about`: the pool). `POOLMQ_LOG` sets the level: `trace`, `debug`, `info`, `warn` (the default),
 * `error`, `fatal`, `silent`. pino is loaded with the first line that is written: most processes write none.
 */
export function createLogger(role: string, about: object = {}): Log {
  const level = levelOf(process.env.POOLMQ_LOG ?? '') ?? 'warn'
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
  const output = new LogOutput()
  const mixin = () => (output.dropped > 0 ? { dropped: output.dropped } : {})
  const base = { pid: process.pid, host: hostname(), ...about }
  const stream = process.stderr.isTTY === true ? readable(output) : output
  return make({ name: `poolmq-${role}`, base, level, serializers, mixin }, stream)
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
