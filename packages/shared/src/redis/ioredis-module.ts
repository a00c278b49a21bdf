/**
 * ioredis, loaded as what it is, a CommonJS package: importing it makes Node read all its sources once more, to find the
 * names that they export, and every worker process would pay for that at its start.
 */
import type * as ioredis from 'ioredis'
import { requireOwn } from '../own-modules.js'

export const { AbstractConnector, Cluster, Redis, SentinelConnector } = requireOwn(
  'ioredis',
  import.meta.url,
) as typeof ioredis
