/**
 * The short way of a chunk to a worker process that has nothing to do. One that has found nothing is noted in `idle`. Whoever
 * adds a chunk while none waits takes it for such a process: lock, list of active chunks and all are as if the process had taken it,
 * and what it would have been told lies on its desk, a key for which it waits. So a single call costs two wakes of a process and a script less
 * than by the marker, for which the process waits as well.
 *
 * A process is handed one chunk, as its note is removed with it; and none once it has asked for chunks itself, as that removes the note too, and brings what
 * lies on the desk. What is handed to a process that has died is found by its lock's token, like all that it has in hand, or still lies
 * there. Only where Redis does not know yet that nobody is at the other end of the connection (the host is gone, the process was stopped) it waits for
 * its lease to end, like all that was taken there.
 *
 * | key | |
 * | --- | --- |
 * | `idle` | by token: until when (by Redis's clock), how many lanes, milliseconds of a lock |
 * | `desk:TOKEN` | the record of the chunk (see exchange-script), as long as its lock lasts |
 */
import { keyLife, largestInline, type PoolKeys } from '@poolmq/shared'
import { script } from './script.js'

/** Bytes of data above which a chunk waits to be taken: they would be in Redis twice. None of ours has more. */
const largestHanded = 2 * largestInline

/** Milliseconds for which a chunk lies on a desk at most: who waits there has it at once. */
const longestUnclaimed = 500

/** The key on which a process is handed chunks. */
export const deskOf = (keys: PoolKeys, token: string): string => keys.chunk(`desk:${token}`)

/**
 * Lua for whoever adds chunks: `seat()` finds a process for the next one, its token, how many lanes it has and the milliseconds of its locks, and changes nothing;
 * `hand()` lays the chunk on its desk. It needs `call`, `prefix`, `wait`, `prioritized`, `idle`, `active`, `now`, `stamp` and `mayHand`, which becomes false with the first
 * chunk that has to wait: what comes later is not handed over before its turn. The chunk's hash is to be written between the two: a Redis that has no memory for it refuses the
 * first thing that a script writes, and nothing after that.
 */
export const handOver = `
local isEmpty, outdated = false, nil
local function seat(id, name, data)
  mayHand = false
  if #data > ${largestHanded} or string.find(id .. name, '\\n', 1, true) then return end
  local found = call('HRANDFIELD', idle, '1', 'WITHVALUES')
  if not found[1] or not isEmpty and call('EXISTS', wait, prioritized) > 0 then return end
  local till, lanes, life = string.match(found[2], '^(%d+) (%d+) (%d+)$')
  if not till or tonumber(till) <= now then
    outdated = found[1]
    return
  end
  isEmpty, mayHand = true, true
  return found[1], lanes, life
end
local function hand(id, name, data, token, life)
  local desk = prefix .. 'desk:' .. token
  call('HDEL', idle, token)
  call('SET', prefix .. id .. ':lock', token, 'PX', life)
  call('LPUSH', active, id)
  call('ZADD', desk, '0', id .. '\\n' .. name .. '\\n' .. stamp .. '\\n' .. data)
  call('PEXPIRE', desk, life)
end`

/** Lua for a process that was noted and asks for chunks: it sets `handed`, what lies on its desk. It needs `call`, `prefix`, `token`. */
export const leaveIdle = `
  local handed = call('HDEL', prefix .. 'idle', token) == 0 and call('ZPOPMIN', prefix .. 'desk:' .. token)[1]`

/** Lua that notes a process of so many lanes, for as long as a lock lasts. It needs `call`, `prefix`, `token`, `now`. */
export const standIdle = (lanes: number, lockDuration: number): string => `
  call('HSET', prefix .. 'idle', token, string.format('%.0f ${lanes} ${lockDuration}', now + ${lockDuration}))
  call('PEXPIRE', prefix .. 'idle', '${keyLife}')`

/**
 * Lua that gives back the chunk `id`, held by `holder`, which has lain on its desk for too long. It needs `handed`, a table of what lies on desks; the prefix in
 * ARGV[1]; `lock`, `now`, and `giveBack(id)`.
 */
export const unclaimed = `
    local desk = ARGV[1] .. 'desk:' .. holder
    if handed[holder] == nil then handed[holder] = redis.pcall('ZRANGE', desk, 0, 0)[1] or false end
    local of, stamp = string.match(handed[holder] or '', '^([^\\n]*)\\n[^\\n]*\\n(%d+)\\n')
    if of == id and now - stamp > ${longestUnclaimed} then
      redis.call('DEL', desk, lock)
      giveBack(id)
    end`

/** Nothing is handed to this process any more. KEYS: idle, desk. ARGV: token. */
const dismissLua = `
redis.call('HDEL', KEYS[1], ARGV[1])
return redis.call('DEL', KEYS[2])`

export const dismiss = script(dismissLua, () => undefined)
