/**
 * The dashboard over HTTP: its page, what it shows as a stream of events, and, where that is allowed, what can be asked. A
 * process of its own, so that nothing that it does holds up a producer or a host. It shows names, counts, sizes and times;
 * the values that tasks are given and give do not reach it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Monitor } from '../monitor/monitor.js'
import { DashboardFeed } from './dashboard-feed.js'
import { type GuardOptions, RequestGuard } from './request-guard.js'
import { staticFile } from './static-files.js'

export interface DashboardOptions extends GuardOptions {
  readonly monitors: readonly Monitor[]
}

/** Bytes that a request may send. */
const largestBody = 10_000
/** Connections at a time. */
const mostConnections = 200

const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

export class DashboardServer {
  readonly #options: DashboardOptions
  readonly #guard: RequestGuard
  readonly #monitors: ReadonlyMap<string, Monitor>
  readonly #feeds: ReadonlyMap<string, DashboardFeed>
  readonly #server: Server

  constructor(options: DashboardOptions) {
    this.#options = options
    this.#guard = new RequestGuard(options)
    this.#monitors = new Map(options.monitors.map((monitor) => [monitor.name, monitor]))
    this.#feeds = new Map(options.monitors.map((monitor) => [monitor.name, new DashboardFeed(monitor)]))
    this.#server = createServer({ requestTimeout: 10_000, headersTimeout: 5000 }, (request, response) => {
      this.#answer(request, response).catch((error: Error) => {
        if (response.headersSent) response.destroy()
        else sendJson(response, 500, { error: error.message })
      })
    })
    this.#server.maxConnections = mostConnections
  }

  /** Listens; resolves with the port. @throws Error when it is not to be had. */
  async start(port: number, host: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, resolve)
    })
    this.#server.on('error', () => undefined) // no descriptor is left for a connection: whoever asked asks again
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    const refusal = this.#guard.refuse(request)
    if (refusal !== undefined) return sendJson(response, refusal.status, { error: refusal.error })
    const text = request.url ?? '/'
    if (!URL.canParse(text, 'http://dashboard')) return sendJson(response, 400, { error: 'no path' })
    const url = new URL(text, 'http://dashboard')
    const cookie = this.#guard.cookieFor(url)
    if (cookie !== undefined) {
      // The token leaves the address, and with it the history of the browser.
      // Relative, as a proxy may show the dashboard under a path of its own.
      response.writeHead(303, { location: `./${url.pathname.split('/').at(-1)}`, 'set-cookie': cookie }).end()
      return
    }
    if (request.method === 'POST') return await this.#obey(url.pathname, request, response)
    if (url.pathname === '/api/about') {
      const { allowControl } = this.#options
      return sendJson(response, 200, { pools: [...this.#monitors.keys()], allowControl })
    }
    if (url.pathname === '/api/events') return this.#stream(url.searchParams.get('pool') ?? '', request, response)
    const file = staticFile(url.pathname)
    if (file === undefined) return sendJson(response, 404, { error: 'there is no such page' })
    response.writeHead(200, { 'content-type': file.type }).end(file.body)
  }

  #stream(pool: string, { method }: IncomingMessage, response: ServerResponse): void {
    const feed = this.#feeds.get(pool)
    if (feed === undefined) {
      sendJson(response, 404, { error: 'there is no such pool' })
      return
    }
    // A proxy that gathers what it passes on would hold each look back.
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' })
    if (method === 'HEAD') {
      response.end()
      return
    }
    const end = feed.watch((snapshot) => {
      // Who reads too slowly misses some; the next tells all there is.
      if (response.writableLength === 0) response.write(`data: ${JSON.stringify(snapshot)}\n\n`)
    })
    response.on('close', end)
  }

  async #obey(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const order = await readJson(request)
    const monitor = this.#monitors.get(String(order?.pool))
    if (monitor === undefined) return sendJson(response, 404, { error: 'there is no such pool' })
    const subject = String(order?.subject ?? '')
    switch (path) {
      case '/api/cancel':
        if (!/^[\w-]+\.\d+$/.test(subject)) return sendJson(response, 400, { error: 'a call is named CLIENT.NUMBER' })
        return sendJson(response, 200, { done: await monitor.cancel(subject) })
      case '/api/drain':
        return sendJson(response, 200, { done: (await monitor.drain(subject)).length > 0 })
      case '/api/pause':
        await monitor.pause()
        return sendJson(response, 200, { done: true })
      case '/api/resume':
        await monitor.resume()
        return sendJson(response, 200, { done: true })
      default:
        return sendJson(response, 404, { error: 'there is no such order' })
    }
  }
}

async function readJson(request: IncomingMessage): Promise<{ pool?: unknown; subject?: unknown } | undefined> {
  let text = ''
  for await (const part of request.setEncoding('utf8')) {
    text += part
    if (text.length > largestBody) return undefined
  }
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined // answered as an order without a pool
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(body)}\n`)
}
