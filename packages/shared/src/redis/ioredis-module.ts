/**
 * ioredis, loaded as what it is, a CommonJS package: importing it makes Node read all its sources once more, to find the
 * names that they export, and every worker process would pay for that at its start.
 */
import { createRequire } from 'node:module'
import type * as ioredis from 'ioredis'

export const { AbstractConnector, Cluster, Redis, SentinelConnector } = createRequire(import.meta.url)(
  'ioredis',
) as typeof ioredis
