/**
 * What items of each task take, as all producers of a named pool have seen it: one figure for a task, by which all of them are charged,
 * whatever each has measured. It is told and read beside the way of the chunks, and nobody waits for it.
 *
 * A field of `costs` is a task: seconds that are charged for an item, the mean of those that were told, and of how many chunks that is.
 * What is charged moves only when it is no longer about right: else no two chunks would cost the same.
 */
import { keyLife, type PoolKeys, type RedisLink } from '@poolmq/shared'
import { script } from './script.js'

/** Chunks that the mean is one of, about. */
const averaged = 512
/** What is charged, or told, of a task changes when it is wrong by this part. */
export const costTolerance = 0.05
/** Tasks that are known at most: then one is forgotten for each that is new. */
const mostTasks = 1000

/** What a producer has heard of a task since it told last. */
export interface HeardCost {
  readonly taskId: string
  readonly chunks: number
  /** The sum of what an item of each of them took, in seconds. */
  readonly sum: number
}

/** KEYS: costs. ARGV: task, chunks, sum, … Returns what is charged for an item of each. */
const tellCostsLua = `
local call, costs, reply = redis.call, KEYS[1], {}
for i = 1, #ARGV, 3 do
  local task, chunks, sum = unpack(ARGV, i, i + 2)
  local told, mean, count = string.match(call('HGET', costs, task) or '', '^(%S+) (%S+) (%d+)$')
  if not told and call('HLEN', costs) >= ${mostTasks} then call('HDEL', costs, call('HRANDFIELD', costs)) end
  mean = ((mean or 0) * (count or 0) + sum) / ((count or 0) + chunks)
  count = math.min((count or 0) + chunks, ${averaged})
  if not told or math.abs(mean - told) > told * ${costTolerance} then told = string.format('%.6g', mean) end
  call('HSET', costs, task, string.format('%s %.6g %d', told, mean, count))
  reply[#reply + 1] = told
end
call('PEXPIRE', costs, ${keyLife})
return reply`

const runTellCosts = script(tellCostsLua, (reply) => (reply as unknown[]).map(Number))

/** Tells what was heard; returns what all are charged for an item, by task. */
export async function tellCosts(
  { client }: RedisLink,
  pool: PoolKeys,
  heard: readonly HeardCost[],
): Promise<Map<string, number>> {
  const args = heard.flatMap(({ taskId, chunks, sum }) => [taskId, chunks, sum.toPrecision(6)])
  const costs = await runTellCosts(client, [pool.chunk('costs')], args)
  return new Map(heard.map(({ taskId }, i) => [taskId, costs[i] ?? 0]))
}

/** What all are charged for an item of each task that anybody knows of. */
export async function knownCosts({ client }: RedisLink, pool: PoolKeys): Promise<Map<string, number>> {
  const found = await client.hgetall(pool.chunk('costs'))
  return new Map(Object.entries(found).map(([taskId, cost]) => [taskId, Number.parseFloat(cost)]))
}
