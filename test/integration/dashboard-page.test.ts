/// <reference lib="dom" />
// The dashboard's page in a real browser: it shows a running map, cancels it, survives a restart of Redis, and cannot be
// made to do anything by a page from elsewhere. Its pictures in docs/ are taken here when POOLMQ_PICTURES names where.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { CancelledError, Pool } from '@poolmq/client'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { browsers, findProgram } from '../support/find-program.js'
import { Scratch } from '../support/latch.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { freePorts, RedisProcess, TemporaryDirectory } from '../support/redis-process.js'

const name = 'pictures'
const secret = 918_273_645
const scratch = new Scratch()
const directory = new TemporaryDirectory('dashboard')
let redis: RedisProcess
let redisPort: number
let host: ProgramRun
let dashboard: ProgramRun
let address: string
let pool: Pool
let browser: Browser
let page: Page
const faults: string[] = []

const startRedis = () =>
  RedisProcess.start(
    inject('redisProgram'),
    ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--dir', directory.path],
    directory.path,
  )

beforeAll(async () => {
  ;[redisPort = 0] = await freePorts(1)
  redis = await startRedis()
  const env = { REDIS_URL: `redis://127.0.0.1:${redisPort}`, POOLMQ_POOL: name }
  host = new ProgramRun([poolmqCommand, 'worker', '--processes', '2', fixture('math-tasks'), fixture('latch-tasks')], {
    env,
  })
  dashboard = new ProgramRun([poolmqCommand, 'dashboard', '--port', '0', '--allow-control'], { env })
  await Promise.all([host.says('serving'), dashboard.says(/at http:\S+/)])
  address = /http:\S+/.exec(dashboard.stdout)?.[0] ?? ''
  pool = new Pool({ name, connection: env.REDIS_URL })
  browser = await chromium.launch({
    executablePath: findProgram(...browsers) ?? '',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  page = await browser.newPage({ viewport: { width: 1200, height: 900 } })
  page.setDefaultTimeout(60_000)
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => {
    // What the policy refuses, and every script error. A stream that breaks off is what the restart is about.
    if (message.type() === 'error' && !/ERR_|Failed to load resource/.test(message.text())) faults.push(message.text())
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(address)) faults.push(`a request to ${request.url()}`)
  })
  await page.goto(address)
})

afterAll(async () => {
  await browser?.close()
  await pool?.terminate()
  for (const run of [dashboard, host]) await run?.[Symbol.asyncDispose]()
  await redis?.kill()
  scratch[Symbol.dispose]()
  directory[Symbol.dispose]()
})

async function picture(file: string): Promise<void> {
  const where = process.env.POOLMQ_PICTURES
  if (where !== undefined) await page.screenshot({ path: join(where, file), fullPage: true })
}

test('it shows a running map: its progress, who runs it, and no value of it', async () => {
  const [started, go] = [scratch.latch('started'), scratch.latch('go')]
  // A picture wants to show something: as much as a minute holds.
  const waits =
    process.env.POOLMQ_PICTURES === undefined
      ? Array(20).fill(50)
      : Array.from({ length: 160 }, (_, i) => 60 + ((i * 37) % 240))
  // What ran before the page was watching is not in its stream.
  const stream = page.locator('#stream rect')
  do await pool.map(math.busy, waits, 1)
  while ((await stream.count()) === 0)
  const items = [1, 2, 3].map(() => ({ started: started.path, go: go.path, value: secret }))
  const map = pool.mapAsync(latches.hold, items, 1)
  await started.opened()
  const row = page.locator('#calls tbody tr', { hasText: 'latches.hold' })
  await row.waitFor()
  expect(await row.textContent()).toMatch(/latches\.hold\s*mapAsync\s*0 \/ 3/)
  await page.locator('#tiles', { hasText: 'running chunks2' }).waitFor()
  // Both processes have one in hand, and what they have run stands in the stream.
  await page.locator('#hosts tbody tr', { hasText: '1 of 1' }).nth(1).waitFor()
  await stream.first().waitFor({ state: 'attached' })
  expect(await page.content()).not.toContain(String(secret))
  expect(await page.content()).not.toContain(scratch.directory)
  await picture('dashboard.png')
  const cancelled = expect(map.get()).rejects.toThrow(CancelledError)
  await page.getByRole('button', { name: 'cancel' }).click()
  await cancelled
  await page.locator('#details', { hasText: 'None.' }).waitFor()
})

test('a worker process that is lost is shown with the reason', async () => {
  await expect(pool.apply(math.exit, [7])).rejects.toThrow()
  await page.locator('#losses', { hasText: 'exit code 7' }).waitFor()
  await picture('dashboard-losses.png')
})

test('it survives a restart of Redis', async () => {
  await redis.kill()
  await page.locator('#error').waitFor()
  redis = await startRedis()
  await page.locator('#error').waitFor({ state: 'detached' })
  await page.locator('#hosts tbody tr').first().waitFor()
  expect(await pool.apply(math.square, [3])).toBe(9)
})

test('a page from elsewhere can ask for nothing', async () => {
  const [started, go] = [scratch.latch('started-2'), scratch.latch('go-2')]
  const map = pool.mapAsync(latches.hold, [{ started: started.path, go: go.path, value: 1 }])
  await started.opened()
  const [call] = await pool.calls()
  const order = { pool: name, subject: call?.id }
  await using elsewhere = await serveForeignPage()
  const foreign = await browser.newPage()
  await foreign.goto(elsewhere.url)
  /** What became of each way: the status that it got, or that the browser refused. */
  const tried = await foreign.evaluate(
    async ({ address, order }) => {
      const send = async (init: RequestInit) => {
        try {
          return String(
            (await fetch(`${address}api/cancel`, { method: 'POST', body: JSON.stringify(order), ...init })).status,
          )
        } catch {
          return 'refused'
        }
      }
      const read = async () => {
        try {
          return (await (await fetch(`${address}api/about`)).text()).length > 0 ? 'read' : 'empty'
        } catch {
          return 'refused'
        }
      }
      return {
        json: await send({ headers: { 'content-type': 'application/json' } }),
        text: await send({ headers: { 'content-type': 'text/plain' } }),
        // Sent blindly: the answer cannot be read, and must be a refusal all the same.
        blind: await send({ mode: 'no-cors', headers: { 'content-type': 'text/plain' } }),
        read: await read(),
      }
    },
    { address, order },
  )
  expect(tried).toEqual({
    json: 'refused',
    text: 'refused',
    blind: expect.stringMatching(/^(0|refused)$/),
    read: 'refused',
  })
  // A form of another site, and one whose body is JSON.
  await foreign.evaluate(
    ({ address, order }) => {
      const form = document.createElement('form')
      form.method = 'POST'
      form.enctype = 'text/plain'
      form.action = `${address}api/cancel`
      const field = document.createElement('input')
      const text = JSON.stringify(order)
      field.name = `${text.slice(0, -1)},"x":"`
      field.value = '"}'
      form.append(field)
      document.body.append(form)
      form.submit()
    },
    { address, order },
  )
  await foreign.waitForURL(`${address}api/cancel`)
  expect(await foreign.textContent('body')).toContain('only the dashboard')
  // In a frame of its own it is not shown.
  await foreign.goto(elsewhere.url)
  const framed = await foreign.evaluate(async (address) => {
    const frame = document.createElement('iframe')
    frame.src = address
    document.body.append(frame)
    await new Promise((resolve) => frame.addEventListener('load', resolve))
    return frame.contentDocument?.body?.textContent ?? 'out of reach'
  }, address)
  expect(framed).not.toContain('PoolMQ')
  await foreign.close()
  expect((await pool.calls()).map((one) => one.id)).toEqual([call?.id])
  go.open()
  expect(await map).toEqual([1])
})

test('nothing has failed on the page, and it has asked nobody else for anything', () => {
  expect(faults).toEqual([])
})

/** A page of another origin. */
async function serveForeignPage(): Promise<{ url: string } & AsyncDisposable> {
  const server: Server = createServer((_request, response) => {
    response
      .writeHead(200, { 'content-type': 'text/html' })
      .end('<!doctype html><title>elsewhere</title><body>elsewhere')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://localhost:${port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
