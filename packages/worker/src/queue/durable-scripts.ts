/**
 * Scripts of durable calls (see durable-store). What has ended is known from the stream of their outcomes, which is never
 * trimmed: it is read on, in slices, by whoever looks after the call, and each chunk that has an outcome gets a bit. So the
 * scripts of the workers' way know nothing of durable calls, and whoever else adds a chunk knows whether it has ended.
 *
 * KEYS of all: record, done, prints, results, outcomes, durables. ARGV of all: id, prefix of the pool's keys, prefix of its
 * chunks'. Each run has a spec of its own, whose name is made here: worker processes remember what they know of a spec by its name.
 * The time to live is the record's: it is given to all keys whenever a quarter of it has passed, and at the end of the call they
 * are given what is to be kept. So are the shared values that it holds while it is open, which other calls may hold as well: each has a set of
 * the calls that do, and lives as long as that.
 */
import { keyLife, partsSuffix, sharersSuffix } from '@poolmq/shared'
import { place, placeFairly, settle } from './fair-scripts.js'
import { script } from './script.js'
import { serverNow } from './server-clock.js'

/** Bytes of outcomes, and outcomes, that one script reads at most: others wait for it. */
const mostBytes = 1024 * 1024
const mostEntries = 2000
const entriesAtOnce = 32
/** Errors of which failures are counted by name. */
const mostNames = 20
/** Milliseconds for which whoever writes what is to be compared may be silent before another begins anew. */
const openingPatience = 15_000

const first = `${serverNow}
local record, done, prints, results, outcomes, durables = unpack(KEYS)
local call, id, prefix, chunk = redis.call, ARGV[1], ARGV[2], ARGV[3]
local time = string.format('%.0f', now)
local state, run, cursor, chunks, life, keep, renewed, tended =
  unpack(call('HMGET', record, 'state', 'run', 'cursor', 'chunks', 'life', 'keep', 'renewed', 'tended'))
chunks = tonumber(chunks) or 0
local function specOf(one) return prefix .. 'spec:' .. id .. '.' .. one end
local function eachShared(act)
  for hash in string.gmatch(call('HGET', record, 'shared') or '', '%S+') do act(hash, prefix .. 'shared:' .. hash) end
end
local function holdShared(milliseconds)
  local missing = {}
  eachShared(function(hash, value)
    local sharers = value .. '${sharersSuffix}'
    call('SADD', sharers, id)
    if call('PTTL', sharers) < tonumber(milliseconds) then call('PEXPIRE', sharers, milliseconds) end
    if call('PEXPIRE', value, call('PTTL', sharers)) == 0 then missing[#missing + 1] = hash end
  end)
  return missing
end
local function leaveShared()
  eachShared(function(_, value)
    call('SREM', value .. '${sharersSuffix}', id)
    -- Whose clients are there renew it by then.
    if call('EXISTS', value .. '${sharersSuffix}') == 0 and call('PTTL', value) > ${keyLife} then call('PEXPIRE', value, ${keyLife}) end
  end)
  call('HDEL', record, 'shared')
end
local function live(milliseconds)
  holdShared(milliseconds)
  local spec = call('HGET', record, 'spec')
  if spec then call('SET', specOf(run), spec, 'PX', milliseconds) end
  for i = 1, 5 do call('PEXPIRE', KEYS[i], milliseconds) end
  for _, name in ipairs(call('SMEMBERS', outcomes)) do call('PEXPIRE', prefix .. 'outcome:' .. name, milliseconds) end
end
local function list()
  call('SADD', durables, id)
  if call('PTTL', durables) < tonumber(life) then call('PEXPIRE', durables, life) end
end
local function ended(how)
  state = how
  call('HSET', record, 'state', how, 'ended', time)
  leaveShared()
  live(keep)
  call('SREM', durables, id)
end
local failures
local function countFailures(header, place)
  failures = failures or cjson.decode(call('HGET', record, 'failures') or '{}')
  local names = 0
  for _ in pairs(failures) do names = names + 1 end
  for _, failure in ipairs(cjson.decode(header).f) do
    local name, count = failure[2].name, 1
    if failure[1] == -1 then
      local head = cjson.decode(call('HGET', record, 'head'))
      count = math.min(head.chunkSize, head.items - place * head.chunkSize)
    end
    if not failures[name] then
      if names < ${mostNames} then names = names + 1 else name = 'others' end
    end
    failures[name] = (failures[name] or 0) + count
  end
end
local function index()
  local from, bytes, found, entries = cursor, 0, 0, nil
  repeat
    entries = call('XRANGE', results, '(' .. cursor, '+', 'COUNT', ${entriesAtOnce})
    for _, entry in ipairs(entries) do
      local fields = entry[2]
      cursor = entry[1]
      for i = 2, #fields, 2 do bytes = bytes + #fields[i] end
      if fields[1] == 'j' then
        local heads = string.gmatch(fields[4] or '', '[^\\n]+')
        for heard in string.gmatch(fields[2], '%S+') do
          local of, place = string.match(heard, '%.(%d+)%.(%d+)$')
          local head = heads() or ''
          found = found + 1
          if of == run and tonumber(place) < chunks then
            local isFirst = call('SETBIT', done, place, 1) == 0
            -- What is not as ours are is none: whoever attaches is told.
            if isFirst and string.find(head, ',"f":[', 1, true) then pcall(countFailures, head, tonumber(place)) end
            local name = string.match(head, '"k":"(%w+)"}$')
            if name then call('PEXPIRE', prefix .. 'outcome:' .. heard .. ':' .. name, life) end
          end
        end
      end
    end
  until #entries < ${entriesAtOnce} or bytes > ${mostBytes} or found >= ${mostEntries}
  if cursor ~= from then call('HSET', record, 'cursor', cursor) end
  if failures then call('HSET', record, 'failures', cjson.encode(failures)) end
  return #entries < ${entriesAtOnce}
end
`

/**
 * Begins a call that is not there, or whose beginning was left unfinished. ARGV: head, chunks, milliseconds to live while it is
 * open, to be kept at its end. Returns the run when it has begun; else nothing.
 */
const openDurableLua = `${first}
if state and (state ~= 'opening' or now - (tonumber(tended) or 0) < ${openingPatience}) then return nil end
call('UNLINK', record, done, prints, results)
call('HSET', record, 'head', ARGV[4], 'state', 'opening', 'run', time, 'cursor', '0-0', 'chunks', ARGV[5], 'life', ARGV[6],
  'keep', ARGV[7], 'renewed', time, 'tended', time, 'began', time)
call('PEXPIRE', record, ${keyLife})
return time`

/** What is to be compared is still being written. ARGV: run. Returns 0 when another has begun it anew. */
const tendOpeningLua = `${first}
if state ~= 'opening' or run ~= ARGV[4] then return 0 end
call('HSET', record, 'tended', time)
call('PEXPIRE', record, ${keyLife})
return 1`

/** From now on chunks may be added. ARGV: run, spec or ''. Returns 0 when another has begun it anew. */
const beginDurableLua = `${first}
if state ~= 'opening' or run ~= ARGV[4] then return 0 end
call('HSET', record, 'state', 'open', 'tended', time, 'renewed', time)
call('XADD', results, '*', 'd', run, 'from', 'all')
call('SETBIT', done, chunks, 0)
if ARGV[5] ~= '' then call('HSET', record, 'spec', ARGV[5]) end
live(life)
list()
return 1`

/**
 * What is to be there before chunks are added: holds shared values from now on, beside those that it holds already. ARGV: run, hashes. Returns milliseconds that what
 * is added is to live, and the hashes of those that are not there; nothing when the call does not run in this run.
 */
const prepareDurableLua = `${first}
if state ~= 'open' or run ~= ARGV[4] then return nil end
local names, all = {}, {}
eachShared(function(hash) names[hash] = true end)
for i = 5, #ARGV do names[ARGV[i]] = true end
for hash in pairs(names) do all[#all + 1] = hash end
if #all > 0 then call('HSET', record, 'shared', table.concat(all, ' ')) end
local left = call('PTTL', record)
return { left, holdShared(left) }`

/**
 * Adds chunks that have neither an outcome nor a hash, for as long as the call. KEYS beyond: wait, prioritized, shares, marker,
 * meta, elders. ARGV: run, milliseconds that the queue's keys live, share, then id, name, data, priority, … Returns how many; -1 when what has
 * been heard is to be read on first, -2 when the call does not run in this run.
 */
const submitDurableLua = `${first}
if state ~= 'open' or run ~= ARGV[4] then return -2 end
if not index() then return -1 end
local wait, prioritized, shares, marker, meta, elders = unpack(KEYS, 7)
local keyLife, mine, added, urgent = ARGV[5], ARGV[6], 0, false
${placeFairly('chunk')}
for i = 7, #ARGV, 4 do
  local of, priority = ARGV[i], ARGV[i + 3]
  local job = chunk .. of
  if call('EXISTS', job) == 0 and call('GETBIT', done, string.match(of, '%d+$')) == 0 then
    call('HSET', job, 'name', ARGV[i + 1], 'data', ARGV[i + 2], 'opts', '{}', 'timestamp', time, 'delay', '0', 'priority', priority)
    call('PEXPIRE', job, life)
    ${place('of')}
    if priority ~= '0' then
      call('RPUSH', elders, of)
      urgent = true
    end
    added = added + 1
  end
end
call('HSET', record, 'tended', time)
if added == 0 then return 0 end
${settle}
if not paused then
  call('ZADD', marker, 0, '0')
  call('PEXPIRE', marker, keyLife)
end
if urgent then call('PEXPIRE', elders, keyLife) end
return added`

/**
 * Looks after a call: reads on what has been heard, ends it when that is all, renews what it consists of. ARGV: '1' when who looks
 * has its items, and gives again what is lost. Returns state, run, whether all was read, chunks that have ended, whether chunks are to be
 * renewed, milliseconds since somebody looked who has the items, head, when it was begun, the time, failures by the name of their error.
 */
const lookDurableLua = `${first}
if not state then
  call('SREM', durables, id)
  return nil
end
local caught, due = true, 0
if state == 'open' then
  caught = index()
  if caught and call('BITCOUNT', done) >= chunks then ended('done') end
end
local isWhole = call('HEXISTS', record, 'spec') == 0 or call('EXISTS', specOf(run)) == 1
if state == 'open' and (not isWhole or now - tonumber(renewed) > life / 4) then
  call('HSET', record, 'renewed', time)
  live(life)
  list()
  due = 1
end
if ARGV[4] == '1' and (state == 'open' or state == 'opening') then call('HSET', record, 'tended', time) end
return { state, run, caught and 1 or 0, call('BITCOUNT', done), due, tostring(now - tonumber(tended)), call('HGET', record, 'head'), call('HGET', record, 'began'), time,
  call('HGET', record, 'failures') or '{}' }`

/** Of the chunks from ARGV 4 up to 5, those that have neither an outcome nor a hash; -1 first when what has been heard is to be read on first. */
const lostOfDurableLua = `${first}
if state ~= 'open' then return {} end
if not index() then return { -1 } end
local lost = {}
for i = tonumber(ARGV[4]), math.min(tonumber(ARGV[5]), chunks) - 1 do
  if call('GETBIT', done, i) == 0 and call('EXISTS', chunk .. id .. '.' .. run .. '.' .. i) == 0 then lost[#lost + 1] = i end
end
return lost`

/** Renews the chunks from ARGV 4 up to 5. */
const renewDurableLua = `${first}
if state ~= 'open' then return 0 end
for i = tonumber(ARGV[4]), math.min(tonumber(ARGV[5]), chunks) - 1 do
  if call('GETBIT', done, i) == 0 then
    local job = chunk .. id .. '.' .. run .. '.' .. i
    call('PEXPIRE', job, life)
    call('PEXPIRE', job .. '${partsSuffix}', life)
  end
end
return 1`

/**
 * Puts ids back that are in no list, of chunks that nobody has in hand. KEYS beyond: wait, active, prioritized, shares,
 * marker, elders, meta. ARGV: milliseconds that the queue's keys live, share, ids. Returns those that have no chunk.
 */
const placeDurableLua = `${first}
local wait, active, prioritized, shares, marker, elders, meta = unpack(KEYS, 7)
local mine, gone, placed = ARGV[5], {}, false
${placeFairly('chunk')}
for i = 6, #ARGV do
  local of = ARGV[i]
  local priority = call('HGET', chunk .. of, 'priority')
  if not priority then
    gone[#gone + 1] = of
  elseif call('EXISTS', chunk .. of .. ':lock') == 0 and not call('LPOS', active, of) then
    if not call('ZSCORE', prioritized, of) then ${place('of')}
    end
    if priority ~= '0' then call('RPUSH', elders, of) end
    placed = true
  end
end
${settle}
if placed then call('ZADD', marker, 0, '0') end
for i = 7, 12 do call('PEXPIRE', KEYS[i], ARGV[4]) end
return gone`

/**
 * Lets chunks run again. ARGV: the run that is known, 'all', 'failed' or 'lost', milliseconds to live, to be kept, spec or '', then chunks. Those that were lost run in
 * the same run; else another one begins, and with 'all' what was heard is removed. Returns the run; -1 when what has been heard is to be read on first, nothing
 * when the call is not as it is known.
 */
const rerunDurableLua = `${first}
local how = ARGV[5]
if run ~= ARGV[4] or state == 'opening' or (how ~= 'lost' and state == 'open') then return nil end
if state == 'open' and not index() then return '-1' end
call('HSET', record, 'state', 'open', 'tended', time, 'renewed', time, 'life', ARGV[6], 'keep', ARGV[7])
call('HDEL', record, 'ended')
life = ARGV[6]
if how == 'all' then
  for _, name in ipairs(call('SMEMBERS', outcomes)) do call('UNLINK', prefix .. 'outcome:' .. name) end
  call('UNLINK', outcomes, done)
  call('XTRIM', results, 'MAXLEN', 0)
end
for i = 9, #ARGV do
  -- Somebody else may have added it already.
  if how ~= 'lost' or call('EXISTS', chunk .. id .. '.' .. run .. '.' .. ARGV[i]) == 0 then call('SETBIT', done, ARGV[i], 0) end
end
if how ~= 'lost' then
  call('UNLINK', specOf(run))
  call('HDEL', record, 'spec', 'failures')
  if ARGV[8] ~= '' then call('HSET', record, 'spec', ARGV[8]) end
  run = string.format('%.0f', math.max(now, tonumber(run) + 1))
  local mark = call('XADD', results, '*', 'd', run, 'from', how)
  call('HSET', record, 'run', run, 'cursor', mark)
end
call('SETBIT', done, chunks, 0)
live(life)
list()
return run`

/** Ends a call before its end. Returns the run and how many chunks it has when it was open; -1 when what has been heard is to be read on first. */
const cancelDurableLua = `${first}
if state == 'open' and not index() then return { '-1', 0 } end
if state == 'open' and call('BITCOUNT', done) >= chunks then ended('done') end
if state ~= 'open' and state ~= 'opening' then return {} end
ended('cancelled')
call('XADD', results, 'NOMKSTREAM', '*', 'd', run, 'from', 'cancelled')
return { run, chunks }`

/** Removes a call, but for its chunks. Returns the run and how many chunks may be there, none when it has ended. */
const forgetDurableLua = `${first}
call('SREM', durables, id)
leaveShared()
for _, name in ipairs(call('SMEMBERS', outcomes)) do call('UNLINK', prefix .. 'outcome:' .. name) end
if state then call('UNLINK', specOf(run)) end
call('UNLINK', record, done, prints, results, outcomes)
return state and { run, state == 'open' and chunks or 0 } or {}`

/** A run, and the chunks that it has at most; undefined when there is nothing to do. */
const chunksOfRun = (reply: unknown) => {
  const [run, chunks] = reply as [string?, number?]
  return run === undefined ? undefined : { run: Number(run), chunks: chunks ?? 0 }
}
const orNothing = (reply: unknown): number | undefined => (reply === null ? undefined : Number(reply))

export const openDurable = script(openDurableLua, orNothing)
export const tendOpening = script(tendOpeningLua, Number)
export const beginDurable = script(beginDurableLua, Number)
export const prepareDurable = script(prepareDurableLua, (reply) => {
  const [life, missing] = (reply ?? []) as [number?, string[]?]
  return life === undefined ? undefined : { life, missing: missing ?? [] }
})
export const submitDurable = script(submitDurableLua, Number)
export const lookDurable = script(lookDurableLua, (reply) => reply as unknown[] | null)
export const lostOfDurable = script(lostOfDurableLua, (reply) => (reply as unknown[]).map(Number))
export const renewDurable = script(renewDurableLua, Number)
export const placeDurable = script(placeDurableLua, (reply) => (reply as unknown[]).map(String))
export const rerunDurable = script(rerunDurableLua, orNothing)
export const cancelDurable = script(cancelDurableLua, chunksOfRun)
export const forgetDurable = script(forgetDurableLua, chunksOfRun)
