/**
 * Scripts on a pool's keys beside its queue: who serves it, who uses it, which calls are to be stopped, and its end. Each
 * goes by Redis's clock, and leaves no key without a time to live.
 */
import { keyLife, type PoolKeys, queueKeySuffixes } from '@poolmq/shared'
import { script } from './script.js'
import { serverNow } from './server-clock.js'

/**
 * Shows a supervisor's presence: its record, which is JSON, gets its end here. KEYS: hosts. ARGV: supervisor, record,
 * milliseconds.
 */
const showPresenceLua = `${serverNow}
local record = string.sub(ARGV[2], 1, -2) .. string.format(',"at":%.0f,"expires":%.0f}', now, now + ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], record)
return redis.call('PEXPIRE', KEYS[1], ARGV[3] * 2)`

/** All presence records, and the time. KEYS: hosts. */
const presencesLua = `${serverNow}
return { string.format('%.0f', now), redis.call('HGETALL', KEYS[1]) }`

/**
 * Says that a client is there, until its lease ends, and what its spec is, and forgets those whose lease has ended; with '1', makes its stream as well. It goes after
 * commands that only let live longer, which a Redis that is out of memory takes: it refuses this at its first line.
 * KEYS: results, clients, spec. ARGV: client, milliseconds, '1' or '0', spec or ''. Returns whether the stream is there.
 */
const renewLeaseLua = `${serverNow}
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ${keyLife})
if ARGV[4] ~= '' then redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[2]) end
if ARGV[3] == '1' then redis.call('XADD', KEYS[1], '*', 'client', ARGV[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`

/** Milliseconds that an order to stop stands: hosts look every second. */
export const orderLife = 60_000

/** Stands among the orders while there are some for single copies of chunks, which hosts look for only then. */
export const copyOrders = 'copies'

/**
 * Orders hosts to stop what runs of calls that were cancelled, or of clients that have left, or single copies of chunks.
 * KEYS: stops. ARGV: `CLIENT.CALL`, or the client, of each; ids of copies, and `copies`.
 */
const orderStopLua = `${serverNow}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for _, what in ipairs(ARGV) do redis.call('ZADD', KEYS[1], now + ${orderLife}, what) end
return redis.call('PEXPIRE', KEYS[1], ${orderLife})`

/** Sets a field of the queue's meta data. KEYS: meta. ARGV: field, value. */
const noteMetaLua = `
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ${keyLife})`

/**
 * Removes what is left of a pool when nobody uses it any more: no host and no client with a lease, no chunk.
 * KEYS: hosts, clients, wait, active, prioritized, delayed, then all that is to go.
 */
const sweepPoolLua = `${serverNow}
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

export const showPresence = script(showPresenceLua, Number)
export const presences = script(presencesLua, (reply) => {
  const [now, fields] = reply as [string, string[]]
  const records = new Map<string, string>()
  for (let i = 0; i + 1 < fields.length; i += 2) records.set(fields[i] as string, fields[i + 1] as string)
  return { now: Number(now), records }
})
/**
 * What is asked of a host, once; and whether somebody watches, by Redis's clock. KEYS: orders. ARGV: supervisor.
 */
const takeOrdersLua = `${serverNow}
local asked = redis.call('HMGET', KEYS[1], ARGV[1], 'watch')
if asked[1] then redis.call('HDEL', KEYS[1], ARGV[1]) end
return { asked[1] or '', (tonumber(asked[2]) or 0) > now and 1 or 0 }`

export const takeOrders = script(takeOrdersLua, (reply) => {
  const [order, watched] = reply as [string, number]
  return { order: String(order), watched: watched === 1 }
})
export const renewLease = script(renewLeaseLua, Number)
export const orderStop = script(orderStopLua, Number)
export const noteMeta = script(noteMetaLua, Number)
export const sweepPool = script(sweepPoolLua, Number)

/** The keys of a pool that are no client's own, in the order of `sweepPool`: those that it looks at come first. */
export function sweptKeys(keys: PoolKeys): string[] {
  const counted: readonly string[] = ['wait', 'active', 'prioritized', 'delayed']
  const others = queueKeySuffixes.filter((suffix) => !counted.includes(suffix))
  const queueKeys = [...counted, ...others].map((suffix) => keys.chunk(suffix))
  return [keys.hosts, keys.clients, ...queueKeys, keys.stops, keys.orders]
}
