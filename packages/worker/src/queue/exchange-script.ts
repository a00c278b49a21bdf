/**
 * The script at the end of every chunk, and the way to the next: it delivers the outcomes of chunks that have ended,
 * completes them, and takes chunks for the lanes that are free, all in one round trip. It does what BullMQ's own scripts
 * do to the plain jobs that chunks are (no parents, no deduplication, removed when complete), in the same keys and
 * states, in a third of Redis's time, and it appends the outcomes first: if Redis is out of memory it refuses there,
 * before anything has changed.
 *
 * What is not plain is left to BullMQ: when the queue is paused or limited, or a chunk that was put off is due, no chunk
 * is taken here, and the worker process asks BullMQ for one.
 */
import { keyLife, type PoolKeys, partsSuffix } from '@poolmq/shared'
import type { Cluster, Redis } from 'ioredis'
import { elderPatience, promoteElder } from './elder-chunks.js'
import { serverNow } from './server-clock.js'

/** Whether each outcome was delivered; what waits still (`rests`); milliseconds until one that was put off; the taken. */
type Reply = [delivered: number[], rest: number, due: number, ...taken: (Buffer | Buffer[])[]]

/** What may be had beside what was taken: nothing that waits; more; what BullMQ's own script must look at. */
export const rests = ['none', 'more', 'bullmq'] as const

export interface ExchangeArguments {
  readonly token: string
  /** Chunks that have ended: id, the stream of its client, the fields of the outcome's entry. */
  readonly ended: readonly (readonly [jobId: string, results: string, outcome: readonly (string | Buffer)[]])[]
  /** Chunks to be taken, at most. */
  readonly want: number
}

/** What is the same in every exchange of a worker process. */
export interface ExchangeTerms {
  /** Worker processes that what waits is to be shared with, this one included. */
  readonly sharers: number
  /** Chunks that this worker process may have in hand. */
  readonly lanes: number
  /** Milliseconds that a taken chunk's lock lasts. */
  readonly lockDuration: number
}

export type ExchangeChunks = (args: ExchangeArguments) => Promise<Reply>

/** Fields of a chunk's hash when it has just been added. */
const fieldsOfNew = 6
/** Ids of chunks that were dropped, which are passed over in one run of the script at most. */
const mostGone = 500
/** Bytes of data after which no further chunk is taken: what comes at once must fit in memory. */
const mostData = 8 * 1024 * 1024

/**
 * A chunk whose lock has lapsed is completed as well, as long as nobody else has taken it. The list of active chunks and
 * the marker are made anew whenever they have been empty, and get their time to live here. A hash that is somebody else's
 * making is taken for an empty one, which the worker process reports.
 *
 * An id without a hash is of a chunk that was dropped (see drop-scripts), and is removed where it is met.
 *
 * Of a chunk that has no more fields than it was added with, there is nothing to tell but its task and its data. One that
 * is taken beside others has it noted: if its lock lapses, nobody knows which of them was to blame (see loss-ledger).
 *
 * KEYS: the streams, or the list that waits when there are none, which tells a Cluster where to run. All others are made of
 * the prefix here, as BullMQ's scripts make those of jobs: for each argument the worker process pays as well, so what does
 * not change stands in the script. ARGV: token, how many to take, prefix, milliseconds of patience or 0; then for each stream
 * an id and the entry's fields, of which all entries have as many.
 */
const lua = ({ lanes, sharers, lockDuration }: ExchangeTerms) => `
local token, want, prefix, patience = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local call, active, wait, prioritized = redis.call, prefix .. 'active', prefix .. 'wait', prefix .. 'prioritized'
local delivered, width = {}, (#ARGV - 4) / #KEYS
local ended = width > 0 and #KEYS or 0
for k = 1, ended do
  local at = 4 + width * (k - 1)
  delivered[k] = call('XADD', KEYS[k], 'NOMKSTREAM', '*', unpack(ARGV, at + 2, at + width)) and 1 or 0
end
for k = 1, ended do
  local id = ARGV[5 + width * (k - 1)]
  local job = prefix .. id
  local lock = job .. ':lock'
  local holder = call('GET', lock)
  if (holder == token or not holder) and call('LREM', active, -1, id) == 1 then
    call('UNLINK', job, lock, job .. '${partsSuffix}')
  end
end
if want == 0 then return { delivered, 0, 0 } end${serverNow}
local limits = call('HMGET', prefix .. 'meta', 'paused', 'concurrency', 'max')
if limits[1] or limits[2] or limits[3] then return { delivered, 2, 0 } end
local due = call('ZRANGE', prefix .. 'delayed', 0, 0, 'WITHSCORES')[2]
if due and tonumber(due) <= (now + 1) * 0x1000 - 1 then return { delivered, 2, 0 } end
if patience > 0 then ${promoteElder}
end
if want > 1 then
  local waiting = call('LLEN', wait) + call('ZCARD', prioritized)
  want = math.min(want, math.max(1, math.ceil(waiting / ${sharers})))
end
local reply, data, gone = { delivered, 0, due and math.max(math.ceil(due / 0x1000 - now), 1) or 0 }, 0, 0
repeat
  local id = call('RPOPLPUSH', wait, active)
  local count = id and redis.pcall('HLEN', prefix .. id)
  if count == 0 then
    call('LPOP', active)
    gone = gone + 1
  else
    if not id then
      id = call('ZPOPMIN', prioritized)[1]
      if not id then break end
      call('LPUSH', active, id)
      count = redis.pcall('HLEN', prefix .. id)
    end
    local job, fields = prefix .. id, nil
    call('SET', job .. ':lock', token, 'PX', ${lockDuration})
    if count == ${fieldsOfNew} then
      local known = call('HMGET', job, 'name', 'data', 'timestamp')
      fields = { 'name', known[1], 'data', known[2], 'waited', tostring(now - (tonumber(known[3]) or now)) }
      data = data + #(known[2] or '')
    else
      fields = redis.pcall('HGETALL', job)
      if fields.err then fields = {} end
      for i = 2, #fields, 2 do data = data + #fields[i] end
    end
    if fields[1] then call('HSET', job, 'processedOn', now${lanes === 1 ? '' : `, 'lanes', ${lanes}`}) end
    reply[#reply + 1] = fields
    reply[#reply + 1] = id
    want = want - 1
  end
until want == 0 or data > ${mostData} or gone == ${mostGone}
if #reply > 3 then call('PEXPIRE', active, ${keyLife}) end
if call('EXISTS', wait, prioritized) > 0 then
  reply[2] = 1
  call('ZADD', prefix .. 'marker', 0, '0')
  call('PEXPIRE', prefix .. 'marker', ${keyLife})
end
return reply`

export function defineExchange(client: Redis | Cluster, pool: PoolKeys, terms: ExchangeTerms): ExchangeChunks {
  const command = `poolmqExchange${terms.lanes}of${terms.sharers}for${terms.lockDuration}`
  if (!(command in client)) client.defineCommand(command, { lua: lua(terms) })
  // Replies as bytes: a payload need not be text.
  const run = (client as unknown as Record<string, (...args: unknown[]) => Promise<Reply>>)[`${command}Buffer`]
  const [prefix, wait] = [pool.chunk(''), pool.chunk('wait')]
  return async ({ token, ended, want }) => {
    const args: unknown[] = ended.length === 0 ? [1, wait] : [ended.length]
    for (const [, results] of ended) args.push(results)
    args.push(token, want, prefix, elderPatience())
    for (const [jobId, , outcome] of ended) args.push(jobId, ...outcome)
    return (await run?.apply(client, args)) as Reply
  }
}
