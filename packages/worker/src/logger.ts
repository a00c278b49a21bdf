import { type Logger, pino } from 'pino'

/**
 * Logs as JSON lines on standard error. `POOLMQ_LOG` sets the level: `trace`, `debug`, `info`, `warn` (the default),
 * `error`, `fatal`, `silent`.
 */
export function createLogger(role: string): Logger {
  const level = process.env.POOLMQ_LOG ?? 'warn'
  const known = level === 'silent' || Object.hasOwn(pino.levels.values, level)
  return pino({ name: `poolmq-${role}`, level: known ? level : 'warn' }, pino.destination({ dest: 2, sync: true }))
}
