/**
 * BullMQ's script that takes a chunk, as it is, within one of ours that mends two things: it goes by Redis's clock instead
 * of the host's, and the keys that it makes get a time to live at the same moment, as all that would give them one may die
 * before it does. It also keeps the events short that BullMQ's writes at each chunk, and that nobody reads.
 */
import { keyLife } from '@poolmq/shared'
import { moveToActive } from './bullmq-backend.js'
import { elderPatience, promoteElder } from './elder-chunks.js'
import { type Client, type ScriptArgument, script } from './script.js'
import { serverNow } from './server-clock.js'

/**
 * A chunk's hash with its id; or, where there is none to take, 0 twice. Then the milliseconds of a limit, and those until
 * the next chunk that was put off is due.
 */
export type TakeChunk = (keysAndArguments: readonly unknown[]) => Promise<unknown[]>

/** Ids of chunks that were dropped (see drop-scripts), which are removed before one is taken, at most. */
const mostGone = 500

/**
 * KEYS: wait, active, prioritized, events, stalled, limiter, delayed, paused, meta, priority counter, marker. ARGV: prefix, a
 * time of the host's, BullMQ's options, milliseconds of patience or 0.
 *
 * What is not there is not renewed unless something was taken: who only looks does not keep what others have left. A hash
 * without a life is one that BullMQ's has made of a chunk that was gone.
 */
const lua = `
${serverNow}
ARGV[2] = now
local prefix = ARGV[1]
local patience = tonumber(ARGV[4])
if patience > 0 then ${promoteElder}
end
local function take()
${moveToActive.content}
end
for _ = 1, ${mostGone} do
  local id = redis.call('LINDEX', KEYS[1], -1)
  if not id or redis.call('EXISTS', prefix .. id) == 1 then break end
  redis.call('RPOP', KEYS[1])
end
local reply = take()
local taken = reply[2] ~= 0 and reply[2]
for _, i in ipairs({ 1, 2, 3, 4, 7, 9, 10, 11 }) do
  if taken or redis.call('PTTL', KEYS[i]) == -1 then redis.call('PEXPIRE', KEYS[i], ${keyLife}) end
end
if taken then
  local job = prefix .. taken
  if redis.call('PTTL', job) == -1 then redis.call('PEXPIRE', job, ${keyLife}) end
  redis.call('XTRIM', KEYS[4], 'MAXLEN', '~', 10)
elseif reply[4] > 0 then
  reply[4] = math.max(math.ceil(reply[4] - now), 1)
end
return reply`

// Replies as bytes: a payload need not be text.
const run = script(lua, (reply) => reply as unknown[], 'bytes')

export function defineTake(client: Client): TakeChunk {
  const keys = moveToActive.keys
  return (args) => {
    const all = args as ScriptArgument[]
    return run(client, all.slice(0, keys) as string[], [...all.slice(keys), elderPatience()])
  }
}
