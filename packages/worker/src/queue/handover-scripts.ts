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
import { keyLife, type PoolKeys } from '@poolmq/shared'
import { script } from './script.js'

/** Bytes of data above which a chunk waits to be taken: they would be in Redis twice. */
const largestHanded = 16 * 1024

/** Milliseconds for which a chunk lies on a desk at most: who waits there has it at once. */
const longestUnclaimed = 500

/** The key on which a process is handed chunks. */
export const deskOf = (keys: PoolKeys, token: string): string => keys.chunk(`desk:${token}`)

/**
 * Lua that makes `hand(id, name, data)`, which says whether a process was found for the chunk. It needs `call`, `prefix`, `idle`, `now` and `stamp`. None that
 * comes later is handed over once one had to wait: it would be before its turn.
 */
export const handOver = `
  local active, mayHand = prefix .. 'active', true
  function hand(id, name, data)
    while mayHand and #data <= ${largestHanded} and not string.find(id .. name, '\\n', 1, true) do
      local found = call('HRANDFIELD', idle, '1', 'WITHVALUES')
      local token, note = found[1], found[2]
      if not token then break end
      call('HDEL', idle, token)
      local till, lanes, life = string.match(note, '^(%d+) (%d+) (%d+)$')
      if till and tonumber(till) > now then
        local job, desk = prefix .. id, prefix .. 'desk:' .. token
        call('SET', job .. ':lock', token, 'PX', life)
        call('HSET', job, 'processedOn', stamp)
        if lanes ~= '1' then call('HSET', job, 'lanes', lanes) end
        call('LPUSH', active, id)
        call('PEXPIRE', active, ${keyLife})
        call('ZADD', desk, '0', id .. '\\n' .. name .. '\\n' .. stamp .. '\\n' .. data)
        call('PEXPIRE', desk, life)
        return true
      end
    end
    mayHand = false
    return false
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
