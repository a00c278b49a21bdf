/** The scripts of those who look on: they change nothing but whether chunks are taken. */
import { classWidth } from '../queue/fair-scripts.js'
import { script } from '../queue/script.js'
import { serverNow } from '../queue/server-clock.js'

const firstFew = 10

/**
 * Milliseconds for which the oldest waiting chunk has been waiting, by Redis's clock; -1 when none waits. Of each
 * priority the first few are looked at: within one the first of each producer is its oldest, and all have their turns.
 * KEYS: wait, prioritized. ARGV: prefix of job keys.
 */
const oldestWaitingLua = `${serverNow}
local call, heads = redis.call, {}
heads[1] = call('LINDEX', KEYS[1], -1) or nil
local from = '-inf'
for _ = 1, 100 do
  local head = call('ZRANGEBYSCORE', KEYS[2], from, '+inf', 'WITHSCORES', 'LIMIT', 0, ${firstFew})
  if not head[1] then break end
  local next = (math.floor(tonumber(head[2]) / ${classWidth}) + 1) * ${classWidth}
  for i = 1, #head, 2 do
    if tonumber(head[i + 1]) < next then heads[#heads + 1] = head[i] end
  end
  from = string.format('%.0f', next)
end
local oldest = -1
for _, id in ipairs(heads) do
  local added = tonumber(redis.pcall('HGET', ARGV[1] .. id, 'timestamp'))
  if added then oldest = math.max(oldest, now - added, 0) end
end
return oldest`

/** As BullMQ pauses a queue: takers find the mark, and nobody is woken. KEYS: meta, marker. ARGV: milliseconds to live. */
const pauseLua = `
redis.call('HSET', KEYS[1], 'paused', '1')
redis.call('DEL', KEYS[2])
redis.call('PEXPIRE', KEYS[1], ARGV[1])`

/** KEYS: meta, marker, wait, prioritized. ARGV: milliseconds to live. */
const resumeLua = `
redis.call('HDEL', KEYS[1], 'paused')
if redis.call('EXISTS', KEYS[3], KEYS[4]) > 0 then
  redis.call('ZADD', KEYS[2], 0, '0')
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end`

/** Has hosts report until then, by Redis's clock. KEYS: orders. ARGV: milliseconds. */
const askForReportsLua = `${serverNow}
redis.call('HSET', KEYS[1], 'watch', string.format('%.0f', now + ARGV[1]))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end`

export const askForReports = script(askForReportsLua, () => undefined)
export const oldestWaiting = script(oldestWaitingLua, (reply) => (Number(reply) < 0 ? null : Number(reply)))
export const pauseQueue = script(pauseLua, () => undefined)
export const resumeQueue = script(resumeLua, () => undefined)
