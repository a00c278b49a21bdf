/**
 * Examines what a pool needs: its Redis, the rights on it, its hosts, their versions and clocks. Each finding says what is so,
 * and what to do where it is not well. It writes nothing but keys of its own, which it removes.
 */
import { assertServer, PoolKeys, type RedisLink, versionsOf } from '@poolmq/shared'
import { packageVersion } from '../package-version.js'
import { type LiveHost, liveHosts } from '../queue/presence.js'
import { PoolView } from './pool-view.js'

export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warning' | 'failed'
  readonly detail: string
}

/** Milliseconds that two clocks may differ before it is worth telling. */
const clockTolerance = 2000
/** Milliseconds that a round trip to Redis may take before it is worth telling. */
const slowRoundTrip = 20
/** Milliseconds that a chunk may wait before it is worth telling. */
const longWait = 60_000
/** Part of Redis's memory that may be used before it is worth telling. */
const fullMemory = 0.8

export async function examine(link: RedisLink, pool: string): Promise<Finding[]> {
  const keys = new PoolKeys(pool)
  const [allowed, ...basics] = await Promise.all([rights(link, keys), roundTrip(link), server(link), memory(link)])
  // What follows is asked with commands that this user may not send.
  if (allowed.state === 'failed') return [...basics.flat(), allowed]
  const hosts = await liveHosts(link, keys)
  const findings = await Promise.all([
    basics,
    allowed,
    ownClock(link),
    serving(pool, hosts),
    ...(hosts.length === 0 ? [] : [versions(hosts), builds(hosts), clocks(hosts), tasks(hosts)]),
    work(new PoolView(link, keys)),
  ])
  return findings.flat()
}

const ok = (check: string, detail: string): Finding => ({ check, state: 'ok', detail })
const warning = (check: string, detail: string): Finding => ({ check, state: 'warning', detail })
const failed = (check: string, detail: string): Finding => ({ check, state: 'failed', detail })

async function roundTrip(link: RedisLink): Promise<Finding> {
  const times: number[] = []
  for (let i = 0; i < 9; i++) {
    const began = performance.now()
    await link.client.ping()
    times.push(performance.now() - began)
  }
  const median = times.sort((a, b) => a - b)[4] as number
  const detail = `${median.toFixed(1)} ms for a round trip`
  if (median <= slowRoundTrip) return ok('redis', detail)
  return warning(
    'redis',
    `${detail}: small chunks pay it each; let a chunk run for longer, or bring hosts and Redis together`,
  )
}

async function server(link: RedisLink): Promise<Finding> {
  try {
    const complaint = await assertServer(link)
    return complaint === undefined ? ok('server', 'a version and a policy that serve') : warning('server', complaint)
  } catch (error) {
    return failed('server', (error as Error).message)
  }
}

async function memory(link: RedisLink): Promise<Finding> {
  const info = await link.client.info('memory').catch(() => '')
  const figure = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
  const [used, limit] = [figure('used_memory'), figure('maxmemory')]
  const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`
  if (limit === 0) return ok('memory', `${mebibytes(used)} used, no limit (maxmemory)`)
  const detail = `${mebibytes(used)} of ${mebibytes(limit)} used`
  return used / limit < fullMemory
    ? ok('memory', detail)
    : warning('memory', `${detail}: when it is full, new chunks are refused`)
}

/** Each kind of command that producers and hosts send, on keys of its own. */
async function rights(link: RedisLink, keys: PoolKeys): Promise<Finding> {
  const key = (kind: string) => `${keys.prefix}:doctor:${process.pid}:${kind}`
  const { client } = link
  const life = 10_000
  const commands: [string, () => Promise<unknown>][] = [
    ['SET', () => client.set(key('string'), '1', 'PX', life)],
    ['HSET', () => client.hset(key('hash'), 'a', '1')],
    ['LPUSH', () => client.lpush(key('list'), '1')],
    ['ZADD', () => client.zadd(key('zset'), 0, '1')],
    ['XADD', () => client.xadd(key('stream'), '*', 'a', '1')],
    ['XREAD', () => client.xread('COUNT', 1, 'STREAMS', key('stream'), '0')],
    ['BZPOPMIN', () => client.bzpopmin(key('zset'), 0.01)],
    ['EVAL', () => client.eval("return redis.call('PEXPIRE', KEYS[1], 10)", 1, key('string'))],
    ['EVALSHA', () => client.evalsha('0'.repeat(40), 0).catch(unlessUnknown)],
    ['MULTI', () => client.multi().pexpire(key('list'), life).exec()],
    ['TIME', () => client.time()],
    ['UNLINK', () => client.unlink(...['string', 'hash', 'list', 'zset', 'stream'].map(key))],
  ]
  const refused: string[] = []
  for (const [name, run] of commands) {
    await run().catch((error: Error) => refused.push(`${name} (${error.message})`))
  }
  if (refused.length === 0) return ok('rights', 'all commands that a pool sends are allowed')
  return failed('rights', `refused: ${refused.join(', ')}; the user needs the rights that docs/guide/redis.md names`)
}

async function ownClock(link: RedisLink): Promise<Finding> {
  const [seconds = 0, microseconds = 0] = (await link.client.time()).map(Number)
  return skew('clock here', Date.now() - (seconds * 1000 + microseconds / 1000))
}

function serving(pool: string, hosts: readonly LiveHost[]): Finding {
  if (hosts.length === 0) {
    return failed('hosts', `nobody serves the pool; start a host: poolmq worker --pool ${pool} MODULE…`)
  }
  const processes = hosts.reduce((sum, host) => sum + host.processes, 0)
  return ok('hosts', `${hosts.length} with ${processes} worker processes`)
}

function versions(hosts: readonly LiveHost[]): Finding {
  const found = groupedBy(hosts, ({ version = 'unknown' }) => version)
  const own = packageVersion()
  found.set(own, ['this command', ...(found.get(own) ?? [])])
  return found.size === 1 ? ok('versions', `${own} everywhere`) : warning('versions', `they differ: ${listed(found)}`)
}

/** The hosts that have something, by what it is. */
function groupedBy(hosts: readonly LiveHost[], what: (host: LiveHost) => string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const host of hosts) found.set(what(host), [...(found.get(what(host)) ?? []), `${host.host}:${host.pid}`])
  return found
}

const listed = (found: ReadonlyMap<string, readonly string[]>): string =>
  [...found].map(([what, who]) => `${what} (${who.join(', ')})`).join('; ')

/** Of hosts that say what they were built from. Nothing compares builds, and a rolling deploy has two for a while. */
function builds(hosts: readonly LiveHost[]): Finding[] {
  const found = groupedBy(hosts, ({ build }) => build ?? 'none given')
  if (hosts.every(({ build }) => build === undefined)) return []
  const [first = ''] = found.keys()
  if (found.size === 1) return [ok('builds', `${first} everywhere`)]
  return [warning('builds', `they differ: ${listed(found)}; if no deploy is under way, some hosts were left out`)]
}

function clocks(hosts: readonly LiveHost[]): Finding[] {
  return hosts.flatMap(({ host, pid, clock, at }) =>
    clock === undefined || at === undefined ? [] : [skew(`clock of ${host}:${pid}`, clock - at)],
  )
}

/** Nothing of PoolMQ's compares clocks; the times in its logs are the machine's own. */
function skew(check: string, milliseconds: number): Finding {
  const detail = `${(Math.abs(milliseconds) / 1000).toFixed(1)} s ${milliseconds < 0 ? 'behind' : 'ahead of'} Redis`
  if (Math.abs(milliseconds) < clockTolerance) return ok(check, detail)
  return warning(check, `${detail}: PoolMQ does not mind, but its logs will not fit together`)
}

function tasks(hosts: readonly LiveHost[]): Finding {
  const all = [...new Set(hosts.flatMap((host) => host.tasks))].sort()
  const partly = all.filter((task) => !hosts.every((host) => host.tasks.includes(task)))
  const apart = all.flatMap((task) => {
    const holders = hosts.filter((host) => host.tasks.includes(task))
    const found = groupedBy(holders, (host) => versionsOf(host, task).join(' and ') || 'none')
    return found.size > 1 ? [`${task} differs in version: ${listed(found)}`] : []
  })
  if (partly.length + apart.length === 0) return ok('tasks', `${all.length}, known to every host`)
  const missing = partly.map((task) => {
    const without = hosts.filter((host) => !host.tasks.includes(task)).map(({ host, pid }) => `${host}:${pid}`)
    return `${task} is unknown to ${without.join(', ')}`
  })
  return warning('tasks', `${[...missing, ...apart].join('; ')}: chunks wait for those that have what they need`)
}

async function work(view: PoolView): Promise<Finding> {
  const { paused, waiting, oldestWaiting } = await view.stats()
  if (paused) return warning('work', 'the pool is paused; poolmq resume lets it go on')
  const detail = `${waiting} chunks wait`
  if (oldestWaiting === null || oldestWaiting < longWait) return ok('work', detail)
  return warning('work', `${detail}, the oldest for ${Math.round(oldestWaiting / 1000)} s: more hosts would help`)
}

/** There is no such script, which only who may run one is told. */
function unlessUnknown(error: Error): void {
  if (!error.message.startsWith('NOSCRIPT')) throw error
}
