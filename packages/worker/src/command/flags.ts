/**
 * The flags that several commands have, and the checks of their values. Each flag has an environment variable; the flag
 * comes first, then the variable, then the default. An empty variable is as good as none.
 */
import { buildId, type ConnectionOption, parseConnectionOption, poolName } from '@poolmq/shared'
import { Option } from 'commander'
import { UsageError } from './exit-code.js'

/** A flag with its environment variable, and what makes a value of its text. */
export function flag<T>(flags: string, description: string, variable: string, read: (text: string) => T): Option {
  const option = new Option(flags, description)
  if (process.env[variable] !== '') option.env(variable)
  const name = option.long ?? flags
  return option.argParser((text: string) => checked(name, () => read(text)))
}

/** A flag without a value; as a variable it is off when it is empty, `0`, `false` or `no`, and on else. */
export function switchFlag(flags: string, description: string, variable: string): Option {
  const option = new Option(flags, description)
  const isOff = /^(0|false|no)?$/i.test(process.env[variable] ?? '')
  return isOff && process.env[variable] !== undefined ? option : option.env(variable)
}

function checked<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${name}: ${(error as Error).message}`)
  }
}

/** Reads a whole number of at least `least`, and at most `most`. */
export function count(name: string, least = 1, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least && value <= most) return value
    const upTo = most === Number.MAX_SAFE_INTEGER ? '' : `, and at most ${most}`
    throw new UsageError(`${name} must be a whole number of at least ${least}${upTo}, got ${JSON.stringify(text)}`)
  }
}

export const poolFlag = (what = 'the pool') => flag('--pool <name>', what, 'POOLMQ_POOL', poolName)

export const redisFlag = () =>
  flag(
    '--redis <url>',
    'redis://, redis-sentinel://, redis-cluster:// (with TLS: rediss…) or unix: URL',
    'REDIS_URL',
    (text) => {
      parseConnectionOption(text)
      return text
    },
  )

/** An empty variable is not as good as none here: it would say nothing where something was meant to be said. */
export const buildFlag = () =>
  flag(
    '--build <id>',
    'what this host was built from, for those who look (a commit, an image tag)',
    'POOLMQ_BUILD',
    (text) => buildId(text, 'the build id'),
  ).env('POOLMQ_BUILD')

/** The pool and the Redis that a command must have. */
export function target(options: { pool?: string; redis?: string }): { pool: string; redis: ConnectionOption & string } {
  if (options.pool === undefined) throw new UsageError('--pool is required (or POOLMQ_POOL)')
  if (options.redis === undefined) {
    throw new UsageError('no Redis given: use --redis URL or set REDIS_URL (an embedded one belongs to its producer)')
  }
  return { pool: options.pool, redis: options.redis }
}
