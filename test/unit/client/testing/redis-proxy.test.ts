/** The way of a test pool to its Redis: what it carries is whole and in order, however long it is made, and a cut is one. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { RedisProxy } from '../../../../packages/client/src/testing/redis-proxy.js'

/** By way of a proxy to a server that sends back what it is sent. */
async function start(): Promise<RedisProxy> {
  const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  const proxy = await RedisProxy.start({ port, host: '127.0.0.1' })
  onTestFinished(async () => {
    await proxy.close()
    server.close()
  })
  return proxy
}

async function call(proxy: RedisProxy): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1').on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function read(socket: Socket, length: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let got = 0
  for await (const part of socket.iterator({ destroyOnReturn: false })) {
    parts.push(part)
    got += part.length
    if (got >= length) break
  }
  return Buffer.concat(parts)
}

const pieces = fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 5000 }), fc.integer({ min: 0, max: 4 })), {
  minLength: 1,
  maxLength: 20,
})

test('what is sent arrives whole and in order, also where the delay changes in between', async () => {
  const proxy = await start()
  const socket = await call(proxy)
  await fc.assert(
    fc.asyncProperty(pieces, async (sent) => {
      const all = Buffer.concat(sent.map(([bytes]) => bytes))
      const arrived = read(socket, all.length)
      for (const [bytes, delay] of sent) {
        proxy.slow(delay)
        socket.write(bytes)
        if (delay === 2) await sleep(1)
      }
      expect((await arrived).equals(all)).toBe(true)
    }),
    { numRuns: 40 },
  )
})

test('a delay is one each way', async () => {
  const proxy = await start()
  const socket = await call(proxy)
  proxy.slow(60)
  const began = performance.now()
  socket.write('x')
  await read(socket, 1)
  expect(performance.now() - began).toBeGreaterThan(115)
})

test('more than anybody reads at once is held up, not lost', async () => {
  const proxy = await start()
  const socket = await call(proxy)
  const sent = Buffer.alloc(20_000_000, 'x')
  socket.pause()
  socket.write(sent)
  await sleep(50)
  expect((await read(socket, sent.length)).length).toBe(sent.length)
})

test('a cut ends all connections, and lets none through until the last cut is over', async () => {
  const proxy = await start()
  const socket = await call(proxy)
  const closed = once(socket, 'close')
  const short = proxy.cut(10)
  const long = proxy.cut(80)
  await closed
  await short
  const refused = await call(proxy)
  await once(refused, 'close')
  await long
  const again = await call(proxy)
  again.write('x')
  expect((await read(again, 1)).toString()).toBe('x')
})
