/**
 * The script at the end of every chunk: our outcome and BullMQ's completion as one. A transaction would do as well, and
 * cost twice as much in each worker process, as ioredis makes a pipeline object with all scripts for every one.
 *
 * The list of active chunks, KEYS[2], is made anew whenever it has been empty, and gets its time to live here.
 *
 * The outcome goes first: if Redis is out of memory it refuses there, before anything has changed.
 */
import type { Cluster, Redis } from 'ioredis'
import { moveToFinishedKeys, moveToFinishedLua } from './bullmq-backend.js'

/** Replies with the outcome's stream id, or null when there is no stream, and with what BullMQ's script returns. */
export type CompleteChunk = (
  bullmq: readonly unknown[],
  stream: string,
  outcome: readonly string[],
) => Promise<[added: string | null, finished: unknown]>

/** Fields of an outcome's entry. */
const outcomeLength = 6
const command = 'poolmqComplete'

const lua = `
local function complete()
${moveToFinishedLua}
end
local added = redis.call('XADD', KEYS[${moveToFinishedKeys + 1}], 'NOMKSTREAM', '*', unpack(ARGV, #ARGV - ${outcomeLength - 1}, #ARGV))
local finished = complete()
redis.call('PEXPIRE', KEYS[2], 55000)
return { added, finished }`

export function defineComplete(client: Redis | Cluster): CompleteChunk {
  if (!(command in client)) client.defineCommand(command, { numberOfKeys: moveToFinishedKeys + 1, lua })
  const run = (client as unknown as Record<string, (...args: unknown[]) => Promise<[string | null, unknown]>>)[command]
  return (bullmq, stream, outcome) => {
    const keys = bullmq.slice(0, moveToFinishedKeys)
    const args = bullmq.slice(moveToFinishedKeys)
    return (run as NonNullable<typeof run>).call(client, ...keys, stream, ...args, ...outcome)
  }
}
