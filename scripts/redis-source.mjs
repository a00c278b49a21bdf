// Finds a Redis for a command that needs one: the first of REDIS_URL, a server program on PATH, a Docker engine and
// Debian's package. Says in one line which it took, and what kept it from an earlier one.
import { installDebianPackage } from './debian-package.mjs'
import { findOnPath } from './programs.mjs'
import { startRedisContainer } from './redis-container.mjs'
import { Advice, say } from './workspace.mjs'

const nothingToStop = async () => {}

/** Resolves with the environment to run the command in, and `stop` to call after it. */
export async function provideRedis() {
  if (process.env.REDIS_URL) return taken('REDIS_URL')
  const program = findRedisServer()
  if (program) return taken(program)
  return (await fromDocker()) ?? (await fromDebian()) ?? noRedis()
}

/**
 * The same for tests. Those of fail-over, TLS and the embedded Redis start servers of their own, for which a container
 * is no help: they also get Debian's package where that can be had, and are left out, with a reason, where it cannot.
 */
export async function provideRedisForTests() {
  const { env, stop } = await provideRedis()
  if (process.env.REDIS_URL || findRedisServer() || env.PATH) return { env, stop }
  const installed = await installDebianPackage(...redisPackage)
  say(`for tests that start servers of their own: ${installed.program ?? `nothing, ${installed.reason}`}`)
  return { env: installed.program ? { ...env, PATH: installed.searchPath } : env, stop }
}

const redisPackage = ['redis-server', 'redis-server']

const findRedisServer = () => findOnPath('redis-server', 'valkey-server')

function taken(source, env = {}, stop = nothingToStop) {
  say(`Redis: ${source}`)
  return { env, stop }
}

async function fromDocker() {
  const container = await startRedisContainer()
  if (container.url) return taken(`container of ${container.image}`, { REDIS_URL: container.url }, container.stop)
  say(`no Redis from Docker: ${container.reason}`)
}

async function fromDebian() {
  const installed = await installDebianPackage(...redisPackage)
  if (installed.program) return taken(`Debian's package, ${installed.program}`, { PATH: installed.searchPath })
  say(`no Redis from Debian's package: ${installed.reason}`)
}

function noRedis() {
  throw new Advice(
    [
      'no Redis found. Any one of these will do:',
      '  1. REDIS_URL, for instance REDIS_URL=redis://127.0.0.1:6379',
      '  2. redis-server or valkey-server on PATH',
      '  3. a Docker engine that this user may use (and DOCKER_HOST where it is not the usual socket)',
      "  4. Debian's package redis-server, which is installed when this runs as root",
    ].join('\n'),
  )
}
