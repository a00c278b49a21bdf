/** The Redis of a run: the one that `REDIS_URL` names, else a server of our own on a free port, without persistence. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface RunningRedis {
  readonly url: string
  stop(): Promise<void>
}

export async function provideRedis(): Promise<RunningRedis> {
  const given = process.env.REDIS_URL
  if (given) return { url: given, stop: async () => undefined }
  // All contestants over TCP: not all of them can use a Unix socket.
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'poolmq-bench-'))
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '']
  for (const program of ['redis-server', 'valkey-server']) {
    const server = spawn(program, options, { stdio: ['ignore', 'pipe', 'inherit'] })
    if (!(await ready(server))) continue
    const end = () => {
      server.kill('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    }
    process.on('exit', end)
    const stop = async () => {
      process.off('exit', end)
      const exited = once(server, 'exit')
      end()
      await exited
    }
    return { url: `redis://127.0.0.1:${port}`, stop }
  }
  rmSync(directory, { recursive: true, force: true })
  throw new Error('no Redis: set REDIS_URL, or put redis-server or valkey-server on PATH')
}

function ready(server: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.once('exit', () => resolve(false))
    if (server.stdout === null) return
    createInterface(server.stdout).on('line', (line) => {
      if (line.includes('Ready to accept connections')) resolve(true)
    })
  })
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
