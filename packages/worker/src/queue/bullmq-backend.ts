/**
 * The three classes of BullMQ that a queue of chunks needs, and one of its scripts. They are loaded one by one: the package's entry loads all of
 * it (schedulers, other drivers, PostgreSQL), five times as much, in every worker process at its start. This file is
 * the only one that knows where they are; our version range of BullMQ is narrow for its sake.
 */
import { requireOwn } from '@poolmq/shared'
import type * as bullmq from 'bullmq'

const load = (path: string) => requireOwn(`bullmq/dist/cjs/${path}`, import.meta.url)
const loadClass = (name: string) => load(`classes/${name}`) as typeof bullmq

export const { RedisQueueBackend } = loadClass('redis-queue-backend')
export const { RedisConnection } = loadClass('redis-connection')
export const { QueueKeys } = loadClass('queue-keys')

/** The script that takes a job. */
export const { moveToActive } = load('scripts/moveToActive-11') as {
  readonly moveToActive: { readonly content: string; readonly keys: number }
}
