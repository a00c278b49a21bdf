// A producer on one host and a worker on another, with no way to each other but Redis: three network namespaces, of which
// the middle one leads to the tests' Redis, and forwards nothing.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Scratch } from '../support/latch.js'
import { NetworkNamespace } from '../support/network-namespace.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'

/** A socket that leads to the tests' Redis, wherever that is. */
async function socketToRedis(path: string): Promise<AsyncDisposable> {
  const { hostname, port, pathname, protocol } = new URL(redisUrl())
  const target = protocol === 'unix:' ? { path: pathname } : { host: hostname, port: Number(port || 6379) }
  const server = createServer((near) => {
    const far = connect(target as { host: string; port: number })
    near.pipe(far).pipe(near)
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
  })
  await once(server.listen(path), 'listening')
  return {
    [Symbol.asyncDispose]: async () => {
      server.close()
    },
  }
}

function redisAt(address: string): string {
  const url = new URL(redisUrl())
  if (url.protocol === 'unix:') return `redis://${address}:6379`
  url.host = `${address}:6379`
  return url.href
}

interface Result {
  readonly pid: number
  readonly addresses: string[]
  readonly direct: string
  readonly squares: number[]
  readonly hosts: { readonly pid: number; readonly addresses: string[] }[]
}

// More than all its waits together, so that it ends, and removes its namespaces, in all cases.
const timeout = 300_000

test('a producer and a worker in different networks, joined only through Redis', { timeout }, async () => {
  using scratch = new Scratch()
  using middle = new NetworkNamespace()
  using producerHost = new NetworkNamespace()
  using workerHost = new NetworkNamespace()
  await middle.connect('10.77.1.1/24', producerHost, '10.77.1.2/24')
  await middle.connect('10.77.2.1/24', workerHost, '10.77.2.2/24')

  const socket = join(scratch.directory, 'redis.sock')
  await using _redis = await socketToRedis(socket)
  await using relay = new ProgramRun([fixture('relay-program'), '6379', socket], { command: middle.command })
  await relay.says('RELAYING')

  const name = uniqueName('namespaces')
  const modules = [fixture('math-tasks'), fixture('context-tasks')]
  const args = ['worker', '--pool', name, '--processes', '2', '--redis', redisAt('10.77.2.1'), ...modules]
  await using worker = new ProgramRun([poolmqCommand, ...args], { command: workerHost.command })
  await worker.says(`serving pool ${name} with 2 worker processes`)

  const producerArgs = [fixture('remote-map-program'), name, redisAt('10.77.1.1'), '10.77.2.2']
  await using producer = new ProgramRun(producerArgs, { command: producerHost.command })
  expect(await producer.exit(), producer.stderr).toBe(0)
  const result = JSON.parse(producer.stdout) as Result

  expect(result.direct).toBe('ENETUNREACH')
  expect(result.addresses.filter((address) => !address.includes(':')).sort()).toEqual(['10.77.1.2', '127.0.0.1'])
  expect(result.squares).toEqual([1, 4, 9, 16, 25])
  for (const host of result.hosts) {
    expect(host.addresses).toEqual(['10.77.2.2'])
    expect(host.pid).not.toBe(result.pid)
    expect([...worker.processes().keys()]).toContain(host.pid)
  }
  worker.kill('SIGTERM')
  expect(await worker.exit()).toBe(0)
})
