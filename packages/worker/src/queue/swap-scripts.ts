/**
 * Scripts for a chunk that the worker process which has it in hand cannot run, as another pool's initializer has run there:
 * it goes to the front of the queue in exchange for one that the process can run, or to a process that was made for it.
 */
import { keyLife, type PoolKeys, type RedisLink } from '@poolmq/shared'
import { classWidth } from './fair-scripts.js'
import { script } from './script.js'
import { serverNow } from './server-clock.js'

/** Chunks at the front of the queue that are looked through. */
const depth = 100

/**
 * The chunk in hand goes back to the front, and of those behind it the first of these clients is taken; neither, where there
 * is none. Those with a priority come after all that have none, and are looked through for one that has one itself: calls of
 * several clients with many priorities would cost a process for each chunk. None is taken from a queue that is paused.
 * KEYS: wait, active, marker, job, lock, prioritized. ARGV: id, token, prefix, milliseconds of a lock, then clients.
 */
const swapLua = `${serverNow}
local wait, active, marker, job, lock, prioritized = unpack(KEYS)
local id, token, prefix, call = ARGV[1], ARGV[2], ARGV[3], redis.call
if call('GET', lock) ~= token or call('HEXISTS', prefix .. 'meta', 'paused') == 1 then return {} end
local clients, found = {}, nil
for i = 5, #ARGV do clients[ARGV[i]] = true end
local front = call('LRANGE', wait, -${depth}, -1)
for i = #front, 1, -1 do
  if clients[string.match(front[i], '^[^.]*')] then found = front[i] break end
end
if not found then
  local last = (tonumber(call('HGET', job, 'priority')) or 0) > 0 and '+inf' or '(${classWidth}'
  for _, other in ipairs(call('ZRANGEBYSCORE', prioritized, '-inf', last, 'LIMIT', 0, ${depth})) do
    if clients[string.match(other, '^[^.]*')] then found = other break end
  end
end
if not found or call('LREM', active, 1, id) == 0 then return {} end
call('DEL', lock)
if call('ZREM', prioritized, found) == 0 then call('LREM', wait, -1, found) end
call('RPUSH', wait, id)
call('LPUSH', active, found)
call('SET', prefix .. found .. ':lock', token, 'PX', ARGV[4])
call('ZADD', marker, 0, '0')
for i = 1, 3 do call('PEXPIRE', KEYS[i], ${keyLife}) end
local fields = call('HGETALL', prefix .. found)
if fields[1] then call('HSET', prefix .. found, 'processedOn', now) end
return { fields, found }`

/** Takes a chunk over from who has it in hand and is ready to leave it. KEYS: job, lock. ARGV: its token, ours, milliseconds, id. */
const takeOverLua = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return {} end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return { redis.call('HGETALL', KEYS[1]), ARGV[4] }`

/** A chunk's hash and its id; undefined when none was taken. */
type Taken = readonly [hash?: unknown, jobId?: unknown]

export interface Holder {
  readonly jobId: string
  readonly token: string
}

// As bytes: a payload need not be text.
const runSwap = script(swapLua, (reply) => reply as Taken, 'bytes')
const runTakeOver = script(takeOverLua, (reply) => reply as Taken, 'bytes')

export function swap(
  { client }: RedisLink,
  pool: PoolKeys,
  { jobId, token }: Holder,
  clients: readonly string[],
  lockDuration: number,
): Promise<Taken> {
  const keys = ['wait', 'active', 'marker', jobId, `${jobId}:lock`, 'prioritized'].map((suffix) => pool.chunk(suffix))
  return runSwap(client, keys, [jobId, token, pool.chunk(''), lockDuration, ...clients])
}

export function takeOver(
  { client }: RedisLink,
  pool: PoolKeys,
  { jobId, token: theirs }: Holder,
  token: string,
  lockDuration: number,
): Promise<Taken> {
  const keys = [pool.chunk(jobId), pool.chunk(`${jobId}:lock`)]
  return runTakeOver(client, keys, [theirs, token, lockDuration, jobId])
}
