/**
 * The three classes of BullMQ that a queue of chunks needs, and one of its scripts. They are loaded one by one: the package's entry loads all of
 * it (schedulers, other drivers, PostgreSQL), five times as much, in every worker process at its start. This file is
 * the only one that knows where they are; our version range of BullMQ is narrow for its sake.
 */
import { requireOwn } from '@poolmq/shared'
import type * as bullmq from 'bullmq'

const load = (name: string) => requireOwn(`bullmq/dist/cjs/classes/${name}`, import.meta.url) as typeof bullmq

export const { RedisQueueBackend } = load('redis-queue-backend')
export const { RedisConnection } = load('redis-connection')
export const { QueueKeys } = load('queue-keys')

/** The script that takes a job. */
export const { moveToActive } = require('bullmq/dist/cjs/scripts/moveToActive-11') as {
  readonly moveToActive: { readonly content: string; readonly keys: number }
}
