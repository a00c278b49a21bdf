/**
 * The script at the end of every chunk, and the way to the next: it delivers the outcomes of chunks that have ended,
 * completes them, and takes chunks for the lanes that are free, all in one round trip. It does what BullMQ's own scripts
 * do to the plain jobs that chunks are (no parents, no deduplication, removed when complete), in the same keys and
 * states, in a third of Redis's time, and it appends the outcomes first: if Redis is out of memory it refuses there,
 * before anything has changed.
 *
 * What is not plain is left to BullMQ: when the queue is paused or limited, or a chunk that was put off is due, no chunk
 * is taken here, and the worker process asks BullMQ for one.
 */
import { keyLife, type PoolKeys, partsSuffix } from '@poolmq/shared'
import { elderPatience, promoteElder } from './elder-chunks.js'
import { takeFairly } from './fair-scripts.js'
import { leaveIdle, standIdle } from './handover-scripts.js'
import { type Client, type RunScript, script } from './script.js'
import { serverNow } from './server-clock.js'

/**
 * Whether each entry was delivered; what waits still (`rests`); milliseconds until one that was put off; the time; of each that was
 * taken its hash and its id. One that is taken for the first time stands for both in one: id, task, when it was added, data, a line each.
 */
export type Reply = [
  delivered: number[],
  rest: number,
  due: number,
  now: number,
  ...taken: (Buffer | (Buffer | null)[])[],
]

/**
 * What may be had beside what was taken: nothing that waits; more; what BullMQ's own script must look at; nothing, and the process is noted as
 * idle.
 */
export const rests = ['none', 'more', 'bullmq', 'idle'] as const

/** Outcomes that travel in one entry of their client's stream. */
export interface OutcomeGroup {
  readonly stream: string
  /** The ids of their chunks, with a space between them. */
  readonly ids: string
  readonly head: string
  readonly body: string | Buffer
  readonly chunks: number
}

export interface ExchangeArguments {
  readonly token: string
  /** The outcomes of chunks that have ended. */
  readonly ended: readonly OutcomeGroup[]
  /** Chunks to be taken, at most. */
  readonly want: number
  /** This process has been noted as idle. */
  readonly isIdle: boolean
  /** It is to be noted so when nothing is there. */
  readonly idles: boolean
}

/** What is the same in every exchange of a worker process. */
export interface ExchangeTerms {
  /** Worker processes that what waits is to be shared with, this one included. */
  readonly sharers: number
  /** Chunks that this worker process may have in hand. */
  readonly lanes: number
  /** Milliseconds that a taken chunk's lock lasts. */
  readonly lockDuration: number
}

export type ExchangeChunks = (args: ExchangeArguments) => Promise<Reply>

/** Ids that are moved from one list to another at once. */
const mostMoved = 16
/** Ids of chunks that were dropped, which are passed over in one run of the script at most. */
const mostGone = 500
/** Bytes of data after which no further chunk is taken: what comes at once must fit in memory. */
const mostData = 8 * 1024 * 1024

/**
 * A chunk whose lock has lapsed is completed as well, as long as nobody else has taken it. The marker is made anew whenever
 * it has been empty, and gets its time to live here. So does the list of active chunks, which a chunk that ends here has
 * kept in being: others are taken before it is completed. A hash that is somebody else's making is taken for an empty one,
 * which the worker process reports.
 *
 * An id without a hash is of a chunk that was dropped (see drop-scripts), and is removed where it is met.
 *
 * Of a chunk that is taken for the first time, there is nothing to tell but its task, its data and when it was added: one text, as
 * Redis and the worker process pay for each string of a reply. One that is taken beside others has it noted: if its lock lapses, nobody knows which of them was to blame (see loss-ledger).
 *
 * KEYS: the streams, or the list that waits when there are none, which tells a Cluster where to run. All others are made of
 * the prefix here, as BullMQ's scripts make those of jobs: for each argument the worker process pays as well, so what does
 * not change stands in the script; as text, as Redis spells a number out with 17 digits at each use. Half of what a chunk costs Redis is
 * calls from Lua, so what can be asked for all chunks is asked once. ARGV: token, how many
 * to take, prefix, milliseconds of patience or 0, whether this process is noted as idle (1), is to be (2), both (3); then for each stream how many chunks have ended, their ids, and the head and the
 * payload of the entry.
 */
const lua = ({ lanes, sharers, lockDuration }: ExchangeTerms) => `
local token, want, prefix, patience = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local call, active = redis.call, prefix .. 'active'
local delivered, ended = {}, {}
for k = 1, ARGV[6] and #KEYS or 0 do
  local chunks, ids, head, payload = unpack(ARGV, 4 * k + 2, 4 * k + 5)
  delivered[k] = call('XADD', KEYS[k], 'NOMKSTREAM', '*', 'j', ids, 'h', head, 'p', payload) and 1 or 0
  if chunks == '1' then
    ended[#ended + 1] = ids
  else
    for id in string.gmatch(ids, '%S+') do ended[#ended + 1] = id end
  end
end
local reply, taken = { delivered, 0, 0, 0 }, {}
if ARGV[5] % 2 == 1 then ${leaveIdle}
  if handed then
    reply[5] = handed
    want = want - 1
  end
end
if want > 0 then
  local wait, prioritized = prefix .. 'wait', prefix .. 'prioritized'
  local limits = call('HMGET', prefix .. 'meta', 'paused', 'concurrency', 'max', 'list.tag')${serverNow}
  local due = call('ZRANGE', prefix .. 'delayed', '0', '0', 'WITHSCORES')[2]
  reply[4] = now
  if limits[1] or limits[2] or limits[3] or due and tonumber(due) <= (now + 1) * 0x1000 - 1 then
    reply[2], want = 2, 0
  else
    if due then reply[3] = math.max(math.ceil(due / 0x1000 - now), 1) end
    if patience > 0 then ${promoteElder}
    end
    if want > 1 then
      local waiting = call('LLEN', wait) + call('ZCARD', prioritized)
      want = math.min(want, math.max(1, math.ceil(waiting / ${sharers})))
    end
  end
  local stamp, data, gone, tag = tostring(now), 0, 0, limits[4]
  local isListsTurn, charge, isCharged, isEmpty
  if tag then ${takeFairly}
  end
  while want > 0 and data <= ${mostData} and gone < ${mostGone} do
    local ids, isOfList = want > 1 and not tag and call('RPOP', wait, math.min(want, ${mostMoved})), false
    if ids then
      call('LPUSH', active, unpack(ids))
    else
      local id = (not tag or isListsTurn()) and call('RPOPLPUSH', wait, active)
      isOfList = id
      if not id then
        id = call('ZPOPMIN', prioritized)[1]
        isEmpty = not id
        if isEmpty then break end
        call('LPUSH', active, id)
      end
      ids = { id }
    end
    for _, id in ipairs(ids) do
      local job = prefix .. id
      local fields = redis.pcall('HMGET', job, 'processedOn', 'name', 'data', 'timestamp')
      local name, text, added = fields[2], fields[3], fields[4]
      local isFresh = text and not fields[1] and not string.find(id .. (name or ''), '\\n', 1, true)
      if not isFresh then fields = redis.pcall('HGETALL', job) end
      if #fields == 0 and not fields.err and call('EXISTS', job) == 0 then
        call('LREM', active, '1', id)
        gone = gone + 1
      else
        call('SET', job .. ':lock', token, 'PX', '${lockDuration}')
        if not fields.err then call('HSET', job, 'processedOn', stamp${lanes === 1 ? '' : `, 'lanes', '${lanes}'`}) end
        if isFresh then
          data = data + #text
          reply[#reply + 1] = id .. '\\n' .. (name or '') .. '\\n' .. (added or '') .. '\\n' .. text
          if tag and isOfList then charge() end
        else
          if fields.err then fields = {} end
          for i = 2, #fields, 2 do data = data + #fields[i] end
          reply[#reply + 1] = fields
          reply[#reply + 1] = id
        end
        taken[id] = true
        want = want - 1
      end
    end
  end
  if tag and isCharged then call('HSET', prefix .. 'meta', 'list.tag', tag) end
  if reply[2] == 0 and not isEmpty and call('EXISTS', wait, prioritized) > 0 then
    reply[2] = 1
    if call('ZADD', prefix .. 'marker', '0', '0') == 1 then call('PEXPIRE', prefix .. 'marker', '${keyLife}') end
  elseif #reply == 4 and reply[2] == 0 and ARGV[5] > '1' then ${standIdle(lanes, lockDuration)}
    reply[2] = 3
  end
end
local isKept, over = #reply == 4, {}
if #ended > 0 then
  local locks = {}
  for k, id in ipairs(ended) do locks[k] = prefix .. id .. ':lock' end
  local holders = call('MGET', unpack(locks))
  for k, id in ipairs(ended) do
    local holder = holders[k]
    if not taken[id] and (holder == token or not holder) and call('LREM', active, '-1', id) == 1 then
      local job = prefix .. id
      over[#over + 1] = job
      over[#over + 1] = locks[k]
      over[#over + 1] = job .. '${partsSuffix}'
    end
  end
end
if #over > 0 then call('UNLINK', unpack(over)) end
if not isKept and #over == 0 then call('PEXPIRE', active, '${keyLife}') end
return reply`

/** The script of these terms: made once, for all who have the same. */
const made = new Map<string, RunScript<Reply>>()

function scriptOf(terms: ExchangeTerms): RunScript<Reply> {
  const key = `${terms.lanes}.${terms.sharers}.${terms.lockDuration}`
  // Replies as bytes: a payload need not be text.
  const run = made.get(key) ?? script(lua(terms), (reply) => reply as Reply, 'bytes')
  made.set(key, run)
  return run
}

export function defineExchange(client: Client, pool: PoolKeys, terms: ExchangeTerms): ExchangeChunks {
  const run = scriptOf(terms)
  const [prefix, wait] = [pool.chunk(''), pool.chunk('wait')]
  return ({ token, ended, want, isIdle, idles }) => {
    const idle = (isIdle ? 1 : 0) + (idles ? 2 : 0)
    const args: (string | number | Buffer)[] = [token, want, prefix, elderPatience(), idle]
    for (const { chunks, ids, head, body } of ended) args.push(chunks, ids, head, body)
    return run(client, ended.length === 0 ? [wait] : ended.map(({ stream }) => stream), args)
  }
}
