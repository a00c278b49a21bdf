/**
 * The one clock that a pool has: Redis's. Machines' clocks differ by seconds, or by hours, so no time of a producer or a host
 * is written to Redis, and none is compared with what was read from there: scripts ask for the time where they run.
 */

/** Lua that sets `now`: milliseconds since 1970. */
export const serverNow = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`
