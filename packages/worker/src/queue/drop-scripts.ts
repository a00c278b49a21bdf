/**
 * Scripts that remove chunks which nobody wants any more, in work that is proportional to what is removed. To find an id in
 * the list of waiting chunks would take a walk through it, which may be long. So the hash goes and the id stays: a chunk
 * without a hash is none, and who comes upon its id (the scripts that take chunks, and those here, at both ends of the list)
 * removes it. Each call is a slice of work that is short enough for others to wait for.
 *
 * | what is left in the list | is removed |
 * | --- | --- |
 * | ids at its ends, as where all of one client's chunks go | at once |
 * | ids between others' chunks | when their turn has come |
 * | ids that are more than half of a long list | in a walk through it, in slices: as much work as went before |
 */
import { partsSuffix } from '@poolmq/shared'
import { classWidth, returnTurns } from './fair-scripts.js'
import { script } from './script.js'

/** Ids in the list of waiting chunks below which it is not long. */
const longList = 2000
/** Places of a long list that are looked at, to guess how many of its ids are of no chunk. */
const samples = 16

/** What stands in a list for an id that was of no chunk: it is none of ours, and looks like one without a hash. */
const blank = ''

/** `prefix` and `key` must be set before: whose chunks these are, where that is known. */
const removal = `
local call, running, lowest = redis.call, {}, {}
local isSorted = call('EXISTS', KEYS[3], KEYS[4]) > 0
local function isGone(id) return call('EXISTS', prefix .. id) == 0 end
local function drop(id, whole, active, prioritized, delayed)
  if not whole and call('EXISTS', prefix .. id .. ':lock') == 1 then running[#running + 1] = id return end
  if whole then call('LREM', active, 1, id) call('UNLINK', prefix .. id .. ':lock') end
  call('UNLINK', prefix .. id, prefix .. id .. '${partsSuffix}')
  if isSorted then
    local place = key and call('ZSCORE', prioritized, id)
    if place then
      local p = math.floor(place / ${classWidth})
      lowest[p] = math.min(lowest[p] or math.huge, place - p * ${classWidth})
    end
    call('ZREM', prioritized, id)
    call('ZREM', delayed, id)
  end
end
local function trim(list, most)
  for _, side in ipairs({ { 0, 'LPOP' }, { -1, 'RPOP' } }) do
    local index, pop, left = side[1], side[2], most
    local id = call('LINDEX', list, index)
    while id and left > 0 and isGone(id) do
      call(pop, list)
      left = left - 1
      id = call('LINDEX', list, index)
    end
  end
end
local function sparse(list)
  local length, gone = call('LLEN', list), 0
  if length < ${longList} then return 0 end
  for i = 0, ${samples - 1} do
    local id = call('LINDEX', list, math.floor((i + math.random()) * length / ${samples}))
    if id and isGone(id) then gone = gone + 1 end
  end
  return gone * 2 > ${samples} and 1 or 0
end
`

/**
 * Removes these chunks; those that run (their lock is held) only with '1'. KEYS: wait, paused, prioritized, delayed, active.
 * ARGV: prefix of job keys, '1' or '0', the key of their share or '', ids. Returns 1 when the list of waiting chunks should be thinned, then the ids that run.
 */
const dropChunksLua = `
local prefix, key = ARGV[1], ARGV[3] ~= '' and ARGV[3]
${removal}
local wait, paused, prioritized, delayed, active = unpack(KEYS)
for i = 4, #ARGV do drop(ARGV[i], ARGV[2] == '1', active, prioritized, delayed) end
${returnTurns}trim(wait, #ARGV + 50)
trim(paused, #ARGV + 50)
trim(prefix .. 'elders', #ARGV + 50)
return { sparse(wait), unpack(running) }`

/**
 * Removes the chunks in one slice of a list or a sorted set whose ids start so. A list is walked from where chunks are
 * added: what is added or taken meanwhile then moves nothing out of the walk's way. KEYS: wait, paused, prioritized, delayed, active, then
 * what to look through. ARGV: prefix of job keys, '1' for those that run as well, prefix of ids, where to go on, how many.
 * Returns where to go on, or nothing at the end.
 */
const dropSliceLua = `
local key = nil
local prefix, ids, from, count = ARGV[1], ARGV[3], ARGV[4], tonumber(ARGV[5])
${removal}
local wait, paused, prioritized, delayed, active, through = unpack(KEYS)
local found, to = {}, nil
if call('TYPE', through).ok == 'zset' then
  local reply = call('ZSCAN', through, from, 'COUNT', count)
  if reply[1] ~= '0' then to = reply[1] end
  for i = 1, #reply[2], 2 do found[#found + 1] = reply[2][i] end
else
  found = call('LRANGE', through, from, from + count - 1)
  if #found == count then to = tostring(from + count) end
end
for _, id in ipairs(found) do
  if string.sub(id, 1, #ids) == ids and not isGone(id) then drop(id, ARGV[2] == '1', active, prioritized, delayed) end
end
if not to then
  trim(wait, count)
  trim(paused, count)
  trim(prefix .. 'elders', count)
end
return to`

/**
 * Blanks the ids of no chunk in one slice of a list. KEYS: list. ARGV: prefix of job keys, where to go on, how many. Returns
 * where to go on; at the end nothing, when the blanks are gone.
 */
const thinLua = `
local prefix, from, count = ARGV[1], ARGV[2], ARGV[3]
local ids = redis.call('LRANGE', KEYS[1], from, from + count - 1)
for i, id in ipairs(ids) do
  if redis.call('EXISTS', prefix .. id) == 0 then redis.call('LSET', KEYS[1], from + i - 1, '${blank}') end
end
if #ids == tonumber(count) then return tostring(from + count) end
redis.call('LREM', KEYS[1], 0, '${blank}')
return nil`

const next = (reply: unknown): string | undefined => (reply === null ? undefined : String(reply))

export const dropChunks = script(dropChunksLua, (reply) => {
  const [sparse, ...running] = reply as [number, ...string[]]
  return { isSparse: sparse === 1, running }
})
export const dropSlice = script(dropSliceLua, next)
export const thin = script(thinLua, next)
