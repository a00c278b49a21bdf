/**
 * Whose chunk is next, where several producers have some that wait: start-time fair queueing (Goyal, Vin, Cheng 1997). Each
 * producer, by its share's key, has a virtual time within each priority; a chunk's place is `max(V, F)`, where V is the place of
 * the chunk whose turn it is, and F where the last one of that key ended. It ends a step later: the seconds that it is
 * expected to run, by the weight of its share. What an item of a task takes is one figure for all producers (see cost-script): where each
 * went by what it had measured itself, those that run the same would pay for it differently.
 *
 * A single producer pays nothing for that. Its chunks without a priority go into BullMQ's list, which belongs to one key at a
 * time (`list.owner` in the queue's meta: the share), and costs a third of the sorted set. While others have chunks without a
 * priority as well, those stand in the set, below the score 2^32, where no priority is; then the list counts as one more
 * producer, whose virtual time is `list.tag`, and a chunk of which takes `list.step`: found out as sharing begins, since more may be known by then than when
 * the list was filled, and when its owner adds to it. These fields are there only as long as others have chunks, or had more than their turn.
 *
 * | field of `shares` | |
 * | --- | --- |
 * | `P` | the largest virtual time at which a chunk of that priority ends: where a class begins again after it was empty |
 * | `P v` | V, when a chunk was added last: it does not go back |
 * | `P:KEY` | F |
 */
import { keyLife } from '@poolmq/shared'

/** Scores of chunks without a priority are below; those of the priority p from p times this on. */
export const classWidth = 2 ** 32
/** Virtual time by which the places of two chunks of one key differ at least, in a class: so much a score tells apart. */
const leastStep = 2 ** -20
/** Fields of `shares` among which those that tell nothing any more are looked for. */
const manyShares = 128

/** What is expected of a chunk of which nothing is known: a millisecond. */
export const unknownStep = 0.001
/** Seconds that a chunk costs at least: its way to a worker process and back is no item's. */
export const leastCost = 0.0001

/** What one of these chunks costs. */
export type ChunkCost =
  /** Virtual seconds that each takes: those that it runs, by the weight of the share. */
  | { readonly step: number }
  /** All are of one task, with so many items each, on the average: what an item of it takes is looked up in Redis. */
  | { readonly task: string; readonly items: number; readonly weight: number }

/** Whose chunks are. Chunks of one key wait in the order in which they were added. */
export type Share = { readonly key: string } & ChunkCost

const short = (figure: number): number => Number(figure.toPrecision(3))

/** As scripts are told it: items, weight, key, task; or '-', step, key. */
export const shareArgument = (share: Share): string =>
  'step' in share
    ? `- ${short(share.step)} ${share.key}`
    : `${short(share.items)} ${share.weight} ${share.key} ${share.task}`

/** Lua: the key of a share. */
const keyOf = (share: string) => `string.match(${share}, '^%S+ %S+ (%S+)')`

/**
 * Lua at the head of a script that adds chunks. It needs `call`, the keys `wait`, `prioritized`, `shares` and `meta`, and `mine`, the
 * share. A single producer's chunks need nothing more: even the functions are made only for others', and for priorities.
 *
 * @param prefix - the local that has the prefix of the queue's keys
 */
export const placeFairly = (prefix: string): string => `
local paused, list, turn, most, rate = unpack(call('HMGET', meta, 'paused', 'list.owner', 'list.tag', 'concurrency', 'max'))
local isListed, isSorted, listed = list == mine and not turn, false, {}
local placeOthers, settleOthers
local function share()
  local accounts, hasAsked, key, step = {}, isListed, ${keyOf('mine')}, nil
  local function stepOf(share)
    local items, weight, task = string.match(share or '', '^(%S+) (%S+) %S+ ?(.*)$')
    if not items then return ${unknownStep} end
    if items == '-' then return tonumber(weight) end
    local cost = string.match(call('HGET', ${prefix} .. 'costs', task) or '', '^%S+')
    return (cost and math.max(cost * items, ${leastCost}) or ${unknownStep}) / weight
  end
  local function ownStep()
    step = step or stepOf(mine)
    return step
  end
  local function account(priority, tag)
    if accounts[priority] then return accounts[priority] end
    local known = call('HMGET', shares, priority, priority .. ' v', priority .. ':' .. key)
    local last, from, own = tonumber(known[1]) or 0, known[2], tonumber(known[3]) or 0
    local base, head = priority * ${classWidth}, nil
    -- Who is the last of all is at the end, wherever the others are.
    if not known[3] or known[1] ~= known[3] or tag then
      head = call('ZRANGEBYSCORE', prioritized, base, string.format('(%.0f', base + ${classWidth}), 'WITHSCORES', 'LIMIT', 0, 1)[2]
      local first = math.min(tag or math.huge, head and head - base or math.huge)
      from = math.max(tonumber(from) or 0, first < math.huge and first or last)
      own = math.max(from, own)
    end
    local least = (priority + 1) * ${leastStep}
    local its = { base = base, isEmpty = not head, last = last, from = from, tag = own, step = math.max(ownStep(), least), most = ${classWidth} - least }
    accounts[priority] = its
    return its
  end
  local function claimList()
    local owner, isEmpty = list and ${keyOf('list')}, call('EXISTS', wait) == 0
    if not isEmpty and owner ~= key then
      if not turn then
        if call('EXISTS', prioritized) == 0 then call('DEL', shares) end
        turn = call('HGET', shares, '0') or '0'
        call('HSET', meta, 'list.tag', turn, 'list.step', stepOf(list))
        call('PEXPIRE', meta, ${keyLife})
      end
      account('0', tonumber(turn))
      return false
    end
    if turn and isEmpty then
      local own = account('0', math.huge)
      accounts['0'] = nil
      if own.isEmpty then
        call('HDEL', meta, 'list.tag', 'list.step')
        turn = nil
      else
        turn = tonumber(turn)
        call('HSET', shares, '0', math.max(own.last, turn))
        if owner and owner ~= key then call('HSET', shares, '0:' .. owner, turn) end
        call('PEXPIRE', shares, ${keyLife})
        call('HSET', meta, 'list.tag', owner == key and math.max(own.tag, turn) or own.tag)
      end
    end
    if turn then
      call('HSET', meta, 'list.owner', mine, 'list.step', ownStep())
    elseif list ~= mine then
      call('HSET', meta, 'list.owner', mine)
    end
    call('PEXPIRE', meta, ${keyLife})
    return true
  end
  function placeOthers(id, priority)
    if priority == '0' then
      if not hasAsked then isListed, hasAsked = claimList(), true end
      if isListed then
        listed[#listed + 1] = id
        return
      end
    end
    local its = account(priority)
    isSorted, its.isUsed = true, true
    call('ZADD', prioritized, its.base + math.min(its.tag, its.most), id)
    its.tag = its.tag + its.step
  end
  function settleOthers()
    local news = 0
    for priority, its in pairs(accounts) do
      if its.isUsed then
        local tag = string.format('%.17g', its.tag)
        local last = its.last > its.tag and its.last or tag
        if its.from then
          news = news + call('HSET', shares, priority, last, priority .. ':' .. key, tag, priority .. ' v', its.from)
        else
          news = news + call('HSET', shares, priority, last, priority .. ':' .. key, tag)
        end
      end
    end
    call('PEXPIRE', shares, ${keyLife})
    call('PEXPIRE', prioritized, ${keyLife})
    if news == 0 or call('HLEN', shares) % ${manyShares} > 2 then return end
    local all, starts = call('HGETALL', shares), {}
    for i = 1, #all, 2 do
      local p = string.match(all[i], '^(%d+) v$')
      if p then
        local isUsed = p == '0' or call('ZCOUNT', prioritized, p * ${classWidth}, string.format('(%.0f', (p + 1) * ${classWidth})) > 0
        starts[p] = isUsed and tonumber(all[i + 1]) or math.huge
      end
    end
    for i = 1, #all, 2 do
      local start = starts[string.match(all[i], '^%d+')] or 0
      if start == math.huge or string.find(all[i], ':') and tonumber(all[i + 1]) <= start then call('HDEL', shares, all[i]) end
    end
  end
end
`

/** Lua that places the chunk of this id, of the priority `priority`. */
export const place = (id: string): string => `
if isListed and priority == '0' then
  listed[#listed + 1] = ${id}
else
  if not placeOthers then share() end
  placeOthers(${id}, priority)
end`

/** Lua for the end, when all are placed: at most a few thousand, as Lua's stack is bounded. */
export const settle = `
if #listed > 0 then
  call('LPUSH', wait, unpack(listed))
  call('PEXPIRE', wait, ${keyLife})
end
if isSorted then settleOthers() end`

/**
 * Lua at the head of a script that takes chunks. It needs `call`, `prefix`, `wait`, `prioritized`, the locals that it sets, and `tag`, the virtual time of the
 * list, which is false where there is nothing to share. `isListsTurn()` says where the next chunk comes from; `charge()` that one of the
 * list's own was taken. What was given back has had its turn already, and an elder has waited for long: they go first, and cost nothing.
 */
export const takeFairly = `
  local stepOfList
  tag = tonumber(tag)
  function isListsTurn()
    local head = call('ZRANGE', prioritized, '0', '0', 'WITHSCORES')[2]
    local oldest = call('LINDEX', wait, '-1')
    local isShared = head and tonumber(head) < ${classWidth}
    if isShared and oldest then
      if tag <= tonumber(head) then return true end
      local known = redis.pcall('HMGET', prefix .. oldest, 'processedOn', 'priority')
      return known[1] or known[2] ~= '0'
    end
    if not isShared and (not oldest or tag >= (tonumber(call('HGET', prefix .. 'shares', '0')) or 0)) then
      call('HDEL', prefix .. 'meta', 'list.tag', 'list.step')
      tag = false
    end
    return true
  end
  function charge()
    if not stepOfList then
      stepOfList = tonumber(call('HGET', prefix .. 'meta', 'list.step')) or ${unknownStep}
    end
    tag, isCharged = tag + stepOfList, true
  end`

/**
 * Lua that gives back the turns of chunks that are dropped before they were taken: what is added later is not to wait for them.
 * It needs `call`, `prefix` and the table `lowest`, by priority the smallest place that was left free, and `key`.
 */
export const returnTurns = `
for p, tag in pairs(lowest) do
  local shares, field = prefix .. 'shares', p .. ':' .. key
  local known = call('HMGET', shares, p, field)
  if known[2] and tonumber(known[2]) > tag then
    call('HSET', shares, field, tag)
    if known[1] == known[2] then call('HSET', shares, p, tag) end
  end
end
`
