/**
 * The script at the end of every chunk: its outcome, its completion and the next chunk, as one. It does what BullMQ's own
 * script does to the plain jobs that chunks are (no parents, no deduplication, removed when complete), in the same keys
 * and states, in a third of Redis's time, and it appends the outcome first: if Redis is out of memory it refuses there,
 * before anything has changed.
 *
 * What is not plain is left to BullMQ: when the queue is paused or limited, or a chunk that was put off is due, no chunk
 * is taken here, and the worker process asks BullMQ for one.
 */
import { keyLife, type PoolKeys, partsSuffix } from '@poolmq/shared'
import type { Cluster, Redis } from 'ioredis'
import { elderPatience, promoteElder } from './elder-chunks.js'
import { serverNow } from './server-clock.js'

/** The outcome's stream id, or null when there is no stream, then the next chunk, if one was taken. */
type Reply = [added: Buffer | null, fields?: Buffer[], jobId?: Buffer]

export interface CompleteArguments {
  readonly jobId: string
  readonly token: string
  /** The stream of the chunk's client. */
  readonly results: string
  /** Fields of the outcome's entry. */
  readonly outcome: readonly (string | Buffer)[]
  readonly takeNext: boolean
  /** Milliseconds that the next chunk's lock lasts. */
  readonly lockDuration: number
}

export type CompleteChunk = (args: CompleteArguments) => Promise<Reply>

const command = 'poolmqComplete'
/** Ids of chunks that were dropped, which are passed over in one run of the script at most. */
const mostGone = 500
/** Fields of a chunk's hash when it has just been added. */
const fieldsOfNew = 6

/**
 * A chunk whose lock has lapsed is completed as well, as long as nobody else has taken it. The list of active chunks and
 * the marker are made anew whenever they have been empty, and get their time to live here. A hash that is somebody else's
 * making is taken for an empty one, which the worker process reports.
 *
 * An id without a hash is of a chunk that was dropped (see drop-scripts), and is removed where it is met.
 *
 * A chunk that has no more fields than it was added with has nothing to tell but its task and its data.
 *
 * KEYS: results. All others are made of the prefix here, as BullMQ's scripts make those of jobs: for each that is sent, the
 * worker process pays as well. ARGV: id, token, milliseconds of patience or '' to take no other, lock duration, prefix, then
 * the outcome.
 */
const lua = `
local id, token, prefix = ARGV[1], ARGV[2], ARGV[5]
local job, active, wait, prioritized = prefix .. id, prefix .. 'active', prefix .. 'wait', prefix .. 'prioritized'
local lock, marker = job .. ':lock', prefix .. 'marker'
local call, results = redis.call, KEYS[1]
local added = call('XADD', results, 'NOMKSTREAM', '*', unpack(ARGV, 6))
local holder = call('GET', lock)
if (holder == token or not holder) and call('LREM', active, -1, id) == 1 then call('UNLINK', job, lock, job .. '${partsSuffix}') end
local patience = tonumber(ARGV[3])
if not patience then return { added } end${serverNow}
local limits = call('HMGET', prefix .. 'meta', 'paused', 'concurrency', 'max')
if limits[1] or limits[2] or limits[3] then return { added } end
if call('ZRANGEBYSCORE', prefix .. 'delayed', 0, (now + 1) * 0x1000 - 1, 'LIMIT', 0, 1)[1] then return { added } end
if patience > 0 then ${promoteElder}
end
local next, fieldCount
for _ = 1, ${mostGone} do
  next = call('RPOPLPUSH', wait, active)
  fieldCount = next and redis.pcall('HLEN', prefix .. next)
  if fieldCount ~= 0 then break end
  call('LPOP', active)
  next = nil
end
if fieldCount == 0 then return { added } end
if not next then
  next = call('ZPOPMIN', prioritized)[1]
  if not next then return { added } end
  call('LPUSH', active, next)
  fieldCount = redis.pcall('HLEN', prefix .. next)
end
call('PEXPIRE', active, ${keyLife})
job = prefix .. next
call('SET', job .. ':lock', token, 'PX', ARGV[4])
if call('EXISTS', wait, prioritized) > 0 then
  call('ZADD', marker, 0, '0')
  call('PEXPIRE', marker, ${keyLife})
end
local fields
if fieldCount == ${fieldsOfNew} then
  local known = call('HMGET', job, 'name', 'data')
  fields = { 'name', known[1], 'data', known[2] }
else
  fields = redis.pcall('HGETALL', job)
  if fields.err then fields = {} end
end
if fields[1] then call('HSET', job, 'processedOn', now) end
return { added, fields, next }`

export function defineComplete(client: Redis | Cluster, pool: PoolKeys): CompleteChunk {
  if (!(command in client)) client.defineCommand(command, { numberOfKeys: 1, lua })
  // Replies as bytes: a payload need not be text.
  const run = (client as unknown as { poolmqCompleteBuffer: (...args: unknown[]) => Promise<Reply> })
    .poolmqCompleteBuffer
  const prefix = pool.chunk('')
  return ({ jobId, token, results, outcome, takeNext, lockDuration }) => {
    const args = [jobId, token, takeNext ? elderPatience() : '', lockDuration, prefix]
    return run.call(client, results, ...args, ...outcome)
  }
}
