/**
 * Chunks with a priority wait behind all that are more urgent. In a pool that is always busy they would wait for ever, so one
 * in some that a worker process takes is the one that has waited longest, if that is long, and the longer the more. They stand in a list in the order in
 * which they were added; what was taken meanwhile is passed over. Where no call has a priority, none of this is there.
 */
import { keyLife } from '@poolmq/shared'

/**
 * Milliseconds that a chunk must have waited to be taken next all the same; 0: none is. One in 16 takes is for what has waited for
 * 20 s, one in four for what has for a minute. By chance, as processes come and go.
 */
export function elderPatience(chance = Math.random()): number {
  return chance < 1 / 16 ? 20_000 : chance < 1 / 4 ? 60_000 : 0
}

/** Places of the list that are passed at once. */
const longestWalk = 100

/**
 * Lua that moves the elder, if there is one, to where the next chunk is taken from. It needs `prefix`, `now` and `patience`. One that was put
 * off is left for later; one whose hash is gone, or is another's, is taken and found out.
 */
export const promoteElder = `
for _ = 1, ${longestWalk} do
  local elder = redis.call('LINDEX', prefix .. 'elders', 0)
  if not elder then break end
  local waits = redis.call('ZSCORE', prefix .. 'prioritized', elder)
  local since = tonumber(redis.pcall('HGET', prefix .. elder, 'timestamp')) or 0
  if waits and now - since < patience then break end
  redis.call('LPOP', prefix .. 'elders')
  if waits then
    redis.call('ZREM', prefix .. 'prioritized', elder)
    redis.call('RPUSH', prefix .. 'wait', elder)
    redis.call('PEXPIRE', prefix .. 'wait', ${keyLife})
    break
  elseif redis.call('ZSCORE', prefix .. 'delayed', elder) then
    redis.call('RPUSH', prefix .. 'elders', elder)
    redis.call('PEXPIRE', prefix .. 'elders', ${keyLife})
  end
end`
