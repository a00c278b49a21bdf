// vitest's globalSetup: one Redis for the whole run.
//
// Tests read its address from `process.env.REDIS_URL` or `inject('redisUrl')`, and keep apart by key prefix. Where the
// environment brings no REDIS_URL, the server is a process of ours on a free port, without persistence, in a directory
// that goes with it. `inject('redisProgram')` is what tests start servers of their own with; where it is '', they are to
// be left out with `test.skipIf`.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { freePorts, RedisProcess, TemporaryDirectory } from './redis-process.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The address of the run's Redis. */
    redisUrl: string
    /** The path of `redis-server` or `valkey-server`, or '' where there is none. */
    redisProgram: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const program = findRedisProgram() ?? ''
  project.provide('redisProgram', program)
  const given = process.env.REDIS_URL
  if (given) {
    project.provide('redisUrl', given)
    return async () => {}
  }
  if (!program) throw new Error('no Redis for the tests: run `npm test`, which finds one, or set REDIS_URL')
  const server = await startServer(program)
  process.env.REDIS_URL = server.url
  project.provide('redisUrl', server.url)
  return server.stop
}

function findRedisProgram(): string | undefined {
  const directories = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const candidates = ['redis-server', 'valkey-server'].flatMap((name) => directories.map((dir) => join(dir, name)))
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

async function startServer(program: string): Promise<{ url: string; stop: () => Promise<void> }> {
  const directory = new TemporaryDirectory('test-redis')
  const [port] = await freePorts(1)
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory.path]
  const server = await RedisProcess.start(
    program,
    [...place, '--save', '', '--maxmemory-policy', 'noeviction'],
    directory.path,
  )
  return {
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      await server.kill()
      directory[Symbol.dispose]()
    },
  }
}
