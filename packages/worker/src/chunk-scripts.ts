/** Scripts of ours beside BullMQ's, on the same keys. Job hashes are named by prefix, as BullMQ's own scripts do. */
import type { Cluster, Redis } from 'ioredis'

type Client = Redis | Cluster

/**
 * Removes the waiting chunks whose ids start with ARGV[2], in one pass over the lists: removing them one by one would
 * search the list for each.
 */
const dropChunksLua = `
local prefix, idPrefix, dropped = ARGV[1], ARGV[2], 0
local function ours(id) return string.sub(id, 1, #idPrefix) == idPrefix end
local function forget(id) redis.call('UNLINK', prefix .. id, prefix .. id .. ':lock') dropped = dropped + 1 end
local kept, found = {}, false
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if ours(id) then forget(id) found = true else kept[#kept + 1] = id end
end
if found then
  redis.call('DEL', KEYS[1])
  for from = 1, #kept, 5000 do redis.call('RPUSH', KEYS[1], unpack(kept, from, math.min(from + 4999, #kept))) end
end
for k = 2, 3 do
  for _, id in ipairs(redis.call('ZRANGE', KEYS[k], 0, -1)) do
    if ours(id) then forget(id) redis.call('ZREM', KEYS[k], id) end
  end
end
return dropped`

/** Counts a loss of the worker process that holds the chunk: in total, and for the item that ran where it is known. */
const noteLossLua = `
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[1], ARGV[2] == '' and 'lost' or 'lost:' .. ARGV[2], 1)
redis.call('HSET', KEYS[1], 'loss', ARGV[3])
return 1`

/** Sets fields of a hash that exists: HSET alone would make one of a chunk that is gone. */
const noteFieldsLua = `return redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HSET', KEYS[1], unpack(ARGV)) or 0`

/**
 * Removes what is left of a pool when nobody uses it any more: no host and no client with a lease, no chunk.
 * KEYS: hosts, clients, wait, active, prioritized, delayed, then all that is to go. ARGV: now.
 */
const sweepPoolLua = `
local now = tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
for i, record in ipairs(redis.call('HVALS', KEYS[1])) do
  local ok, host = pcall(cjson.decode, record)
  if ok and type(host) == 'table' and (tonumber(host.expires) or 0) > now then return 0 end
end
if redis.call('ZCARD', KEYS[2]) > 0 then return 0 end
if redis.call('LLEN', KEYS[3]) + redis.call('LLEN', KEYS[4]) + redis.call('ZCARD', KEYS[5]) + redis.call('ZCARD', KEYS[6]) > 0 then
  return 0
end
return redis.call('DEL', unpack(KEYS))`

export async function dropChunks(client: Client, keys: string[], args: string[]): Promise<number> {
  return Number(await client.eval(dropChunksLua, keys.length, ...keys, ...args))
}

export async function noteLoss(client: Client, keys: string[], args: (string | number)[]): Promise<number> {
  return Number(await client.eval(noteLossLua, keys.length, ...keys, ...args))
}

export async function noteFields(client: Client, keys: string[], args: string[]): Promise<void> {
  await client.eval(noteFieldsLua, keys.length, ...keys, ...args)
}

export async function sweepPool(client: Client, keys: string[], now: number): Promise<number> {
  return Number(await client.eval(sweepPoolLua, keys.length, ...keys, now))
}
