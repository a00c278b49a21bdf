/**
 * What a host logs of its way to Redis: that it is lost, why it does not come back, that it is back. Nothing else would: what
 * is asked of Redis waits meanwhile, and fails nowhere.
 */
import { explainFailure, type RedisLink } from '@poolmq/shared'
import type { Log } from '../logger.js'

/** Milliseconds between two lines while it is lost. */
const interval = 30_000

export function logConnection(link: RedisLink, log: Log, every = interval): void {
  let timer: NodeJS.Timeout | undefined
  link.on('lost', (error) => {
    log.warn({ ...(error && { err: error }) }, 'the connection to Redis is lost; it is tried again until it is back')
    clearInterval(timer)
    timer = setInterval(() => {
      const why = link.lastError && `: ${explainFailure(link.lastError, link.descriptor).message}`
      log.warn(`Redis has been out of reach for ${Math.round(link.lostFor / 1000)} s${why ?? ''}`)
    }, every).unref()
  })
  const end = () => clearInterval(timer)
  link.on('restored', (after) => {
    end()
    log.info(`the connection to Redis is back after ${Math.round(after)} ms`)
  })
  link.on('failed', end)
}
