/**
 * Scripts of ours beside BullMQ's, on the same keys and in its states. Job hashes are named by prefix, as BullMQ's own
 * scripts name them; all keys of a pool share one hash slot.
 */
import { keyLife } from '@poolmq/shared'
import { place, placeFairly, settle } from './fair-scripts.js'
import { handOver, unclaimed } from './handover-scripts.js'
import { script } from './script.js'
import { serverNow } from './server-clock.js'

/**
 * Adds chunks, as BullMQ adds plain jobs (without options it takes them for `{}`); one that is there already is not put in line again. All of them have a time to live from
 * the first moment: their client may die before it looks after them.
 * What was there before has its life, which clients renew; a key that may be new is given one.
 * While none waits, and none is held back, it is handed to a worker process that has nothing to do.
 * KEYS: wait, which tells a Cluster where to run: the others are made of the prefix, as each costs Redis as much as a call. ARGV: prefix,
 * milliseconds, share; then of chunks that follow each other task, priority, how many, and of each id and data.
 */
const addChunksLua = `${serverNow}
local call, prefix, life, mine, added, placed, handed, urgent, at = redis.call, ARGV[1], ARGV[2], ARGV[3], 0, false, false, false, 4
local stamp, till = tostring(now), string.format('%.0f', now + life)
local wait, active, prioritized, marker, meta = KEYS[1], prefix .. 'active', prefix .. 'prioritized', prefix .. 'marker', prefix .. 'meta'
local shares, delayed, elders, idle = prefix .. 'shares', prefix .. 'delayed', prefix .. 'elders', prefix .. 'idle'
${placeFairly('prefix')}
local mayHand, plain = not (paused or most or rate), {}
${handOver}
while ARGV[at] do
  local name, priority, last = ARGV[at], ARGV[at + 1], at + 2 * ARGV[at + 2] + 2
  for i = at + 3, last, 2 do
    local id, data, more, token, lanes, lock = ARGV[i], ARGV[i + 1], plain, nil, nil, nil
    local job = prefix .. id
    if mayHand then
      token, lanes, lock = seat(id, name, data)
      if token then more = { 'processedOn', stamp, 'lanes', lanes } end
      if lanes == '1' then more[3], more[4] = nil, nil end
    end
    if call('HSET', job, 'name', name, 'data', data, 'timestamp', stamp, 'delay', '0', 'priority', priority, unpack(more)) > #more / 2 then
      call('PEXPIREAT', job, till)
      added = added + 1
      if token then
        hand(id, name, data, token, lock)
        handed = true
      else
        if priority ~= '0' then
          if not urgent and call('EXISTS', prioritized, delayed) == 0 then call('DEL', elders) end
          call('RPUSH', elders, id)
          urgent = true
        end
        ${place('id')}
        placed = true
      end
    end
  end
  at = last + 1
end
if outdated then call('HDEL', idle, outdated) end
if handed then call('PEXPIRE', active, life) end
if not placed then return added end
${settle}
if not paused then
  call('ZADD', marker, 0, '0')
  call('PEXPIRE', marker, life)
end
if urgent then call('PEXPIRE', elders, life) end
return added`

/**
 * Gives back a chunk that is held under ARGV[2], to be taken next, whatever its priority: its turn had come.
 * KEYS: active, wait, marker, lock. ARGV: id, token.
 */
const giveBackLua = `
if redis.call('GET', KEYS[4]) ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[4])
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], 0, '0')
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ${keyLife}) end
return 1`

/**
 * Puts a chunk that is held under ARGV[2] off for ARGV[3] milliseconds, into BullMQ's state for that, from where its script
 * that takes the next one fetches it. KEYS: active, delayed, marker, elders, job, lock. ARGV: id, token,
 * milliseconds.
 */
const putOffLua = `
if redis.call('GET', KEYS[6]) ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[6])
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 or redis.call('EXISTS', KEYS[5]) == 0 then return 0 end
${serverNow}
redis.call('HSET', KEYS[5], 'delay', ARGV[3])
redis.call('ZADD', KEYS[2], (now + ARGV[3]) * 0x1000, ARGV[1])
redis.call('ZADD', KEYS[3], redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] / 0x1000, '1')
if (tonumber(redis.call('HGET', KEYS[5], 'priority')) or 0) > 0 then redis.call('LPUSH', KEYS[4], ARGV[1]) end
for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], ${keyLife}) end
return 1`

/** Wakes a worker process that waits. KEYS: marker. */
const wakeLua = `
redis.call('ZADD', KEYS[1], 0, '0')
return redis.call('PEXPIRE', KEYS[1], ${keyLife})`

/** Removes a chunk that is held under ARGV[2]. KEYS: active, job, lock, parts. ARGV: id, token. */
const dropHeldLua = `
if redis.call('GET', KEYS[3]) ~= ARGV[2] then return 0 end
redis.call('LREM', KEYS[1], 1, ARGV[1])
return redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])`

/**
 * Counts a loss of the worker process that holds the chunk. KEYS: job, lock. ARGV: token, field that counts it, details.
 */
const noteLossLua = `
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[1], ARGV[2], 1)
redis.call('HSET', KEYS[1], 'loss', ARGV[3])
return 1`

/** Sets fields of a hash that exists: HSET alone would make one of a chunk that is gone. */
const noteFieldsLua = `return redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HSET', KEYS[1], unpack(ARGV)) or 0`

/**
 * Renews the locks of chunks. A lock that has lapsed although its holder lives (Redis was paused, or away) is taken anew
 * as long as nobody else has taken the chunk. One that is somebody else's key holds up no other. KEYS: active. ARGV: prefix, milliseconds, then id, token, id, token, …
 * Returns the ids of those that are over: what is not there any more was completed, or is not wanted.
 */
const renewLocksLua = `
local over = {}
for i = 3, #ARGV, 2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local lock = ARGV[1] .. id .. ':lock'
  local holder = redis.pcall('GET', lock)
  if holder == token or (not holder and redis.call('LPOS', KEYS[1], id)) then
    redis.call('SET', lock, token, 'PX', ARGV[2])
  elseif redis.call('EXISTS', ARGV[1] .. id) == 0 then
    over[#over + 1] = id
  end
end
return over`

/**
 * Gives back the chunks whose lock has been missing for ARGV[3] milliseconds: long enough for a holder that lives to have
 * renewed it, also after Redis itself was away; and those that still lie on the desk of a process to which they were handed: it is gone, or does
 * not wait, and they have not begun. One host in ARGV[2] milliseconds does it.
 * KEYS: active, wait, marker, gate, suspects, durable calls. ARGV: prefix, interval, grace. Returns whether there are durable calls, which whoever passes
 * the gate looks after, and the ids.
 */
const giveBackLapsedLua = `
if not redis.call('SET', KEYS[4], '1', 'NX', 'PX', ARGV[2]) then return { 0 } end
${serverNow}
local active = redis.call('LRANGE', KEYS[1], 0, -1)
local suspected, back, suspects = redis.call('HGETALL', KEYS[5]), { redis.call('EXISTS', KEYS[6]) }, 0
local since, handed = {}, {}
for i = 1, #suspected, 2 do since[suspected[i]] = tonumber(suspected[i + 1]) end
local function giveBack(id)
  redis.call('LREM', KEYS[1], 1, id)
  redis.call('RPUSH', KEYS[2], id)
  redis.call('ZADD', KEYS[3], 0, '0')
  back[#back + 1] = id
end
for _, id in ipairs(active) do
  local lock = ARGV[1] .. id .. ':lock'
  local holder = redis.pcall('GET', lock)
  if type(holder) == 'string' then ${unclaimed}
  elseif not holder then
    if not since[id] then
      redis.call('HSET', KEYS[5], id, now)
      suspects = suspects + 1
    elseif now - since[id] >= tonumber(ARGV[3]) then
      if redis.call('EXISTS', ARGV[1] .. id) == 1 then
        redis.pcall('HINCRBY', ARGV[1] .. id, 'stc', 1)
        giveBack(id)
      else
        redis.call('LREM', KEYS[1], 1, id)
      end
    else
      suspects = suspects + 1
      since[id] = nil
    end
  end
end
for id in pairs(since) do redis.call('HDEL', KEYS[5], id) end
for i = 1, 5 do if i ~= 4 then redis.call('PEXPIRE', KEYS[i], ${keyLife}) end end
return back`

/** Gives keys a time to live. ARGV: milliseconds. Returns the keys that are not there. */
const expireKeysLua = `
local missing = {}
for _, key in ipairs(KEYS) do
  if redis.call('PEXPIRE', key, ARGV[1]) == 0 then missing[#missing + 1] = key end
end
return missing`

/**
 * For how long chunks have been running, by Redis's clock, while no chunk waits; it changes nothing. KEYS: wait, prioritized,
 * active, meta. ARGV: prefix, ids. Returns how many chunks run, then the milliseconds of each of these, -1 of one that nobody
 * holds; nothing when others wait, or none may be taken.
 */
const runTimesLua = `
local call = redis.call
if call('LLEN', KEYS[1]) + call('ZCARD', KEYS[2]) > 0 or call('HEXISTS', KEYS[4], 'paused') == 1 then return {} end
${serverNow}
local reply = { call('LLEN', KEYS[3]) }
for i = 2, #ARGV do
  local job = ARGV[1] .. ARGV[i]
  local since = call('EXISTS', job .. ':lock') == 1 and tonumber(redis.pcall('HGET', job, 'processedOn'))
  reply[i] = since and math.max(0, now - since) or -1
end
return reply`

/** Chunks that run. */
export interface RunTimes {
  /** How many there are in the pool. */
  readonly running: number
  /** Milliseconds for which those have been running that were asked for, in their order; -1 of one that does not. */
  readonly times: readonly number[]
}

/** A list of names. */
const ids = (reply: unknown): string[] => (Array.isArray(reply) ? reply.map(String) : [])

export const addChunks = script(addChunksLua, Number)
export const putOff = script(putOffLua, Number)
export const giveBack = script(giveBackLua, Number)
export const wake = script(wakeLua, Number)
export const dropHeld = script(dropHeldLua, Number)
export const noteLoss = script(noteLossLua, Number)
export const noteFields = script(noteFieldsLua, Number)
export const renewLocks = script(renewLocksLua, ids)
export const giveBackLapsed = script(giveBackLapsedLua, (reply) => {
  const [durables, ...chunks] = reply as [number, ...string[]]
  return { chunks, hasDurables: durables === 1 }
})
export const expireKeys = script(expireKeysLua, ids)
export const runTimes = script(runTimesLua, (reply): RunTimes | undefined => {
  const [running, ...times] = reply as number[]
  return running === undefined ? undefined : { running, times }
})
