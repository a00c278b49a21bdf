// vitest's globalSetup: one Redis for the whole run.
//
// Tests read its address from `process.env.REDIS_URL` or `inject('redisUrl')`, and keep apart by key prefix. Where the
// environment brings no REDIS_URL, the server is a process of ours on a free port, without persistence, in a directory
// that goes with it. `inject('redisProgram')` is what tests start servers of their own with; where it is '', they are to
// be left out with `test.skipIf`.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestProject } from 'vitest/node'

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
  const directory = await mkdtemp(join(tmpdir(), 'poolmq-test-redis-'))
  const port = await freePort()
  const server = spawn(
    program,
    [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      directory,
      '--save',
      '',
      '--maxmemory-policy',
      'noeviction',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  // Whatever ends this process, a signal too, ends the server and its directory.
  const drop = () => {
    server.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  process.on('exit', drop)
  await untilReady(server, program)
  return {
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      process.off('exit', drop)
      const exited = server.exitCode ?? server.signalCode ?? once(server, 'exit')
      drop()
      await exited
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port')
  server.close()
  await once(server, 'close')
  return address.port
}

/** Resolves when the server takes connections; rejects, with what it said, when it ends before that. */
function untilReady(server: ChildProcess, program: string): Promise<void> {
  const said: string[] = []
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('exit', (code, signal) => {
      reject(new Error(`${program} ended with ${code ?? signal} before it was ready:\n${said.join('\n')}`))
    })
    if (!server.stdout) throw new Error('the server was started without a pipe')
    createInterface(server.stdout).on('line', (line) => {
      said.push(line)
      if (line.includes('Ready to accept connections')) resolve()
    })
  })
}
