/**
 * Answers the probes of an orchestrator over HTTP: `/livez`, whether this process should be left alone, and `/readyz`,
 * whether its host takes chunks. It decides nothing: what keeps the host from taking chunks is its source's to say.
 *
 * `/livez` never depends on Redis, or the loss of Redis would restart every host. That it is answered at all is the proof
 * that the event loop turns.
 *
 * Whoever can reach the port can open connections, and each takes a descriptor that a worker process would need. So there
 * are few, each is short, and the newest comes first: of too many, the oldest is dropped, and a probe is always let in.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { HealthSource } from '../supervisor/health-source.js'

/** Connections at a time. */
const mostConnections = 32
/** Milliseconds: for a request to be sent, for one that does not move, and between two looks. */
const limits = { headersTimeout: 5000, requestTimeout: 5000, connectionsCheckingInterval: 1000, maxHeaderSize: 8192 }
const longestSilence = 10_000
const paths = ['/livez', '/readyz', '/metrics']

export class HealthServer {
  readonly #source: HealthSource
  readonly #server: Server
  /** Oldest first. */
  readonly #connections = new Set<Socket>()

  constructor(source: HealthSource) {
    this.#source = source
    this.#server = createServer(limits, (request, response) => {
      this.#answer(request, response).catch(() => response.destroy())
    })
    this.#server.setTimeout(longestSilence, (socket) => socket.destroy())
    this.#server.on('connection', (socket) => this.#admit(socket))
    // It never keeps the process alive.
    this.#server.unref()
  }

  /**
   * Listens. Resolves with the port.
   *
   * @param port - 0 for any that is free
   * @param host - an address of this host, or its name; undefined: all addresses
   * @throws Error when the port is not to be had
   */
  async start(port: number, host?: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      // Later ones tell that a connection could not be accepted, as no descriptor was left: whoever asked asks again.
      this.#server.on('error', (error: NodeJS.ErrnoException) => {
        const why = error.code === 'EADDRINUSE' ? 'another program listens there' : error.message
        const where = host === undefined ? `port ${port}` : `port ${port} of ${host}`
        reject(new Error(`the health ${where} is not to be had: ${why}`, { cause: error }))
      })
      this.#server.listen(port, host, resolve)
    })
    const address = this.#server.address()
    return address !== null && typeof address === 'object' ? address.port : port
  }

  /** Drops what is still being asked. */
  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #admit(socket: Socket): void {
    this.#connections.add(socket)
    socket.once('close', () => this.#connections.delete(socket))
    if (this.#connections.size <= mostConnections) return
    for (const oldest of this.#connections) return void oldest.destroy()
  }

  async #answer({ method, url = '/' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = url.replace(/\?.*$/s, '')
    if (!paths.includes(path)) return send(response, 404, { error: `there are ${paths.join(', ')}` })
    if (method !== 'GET' && method !== 'HEAD') return send(response, 405, { error: 'use GET' })
    const { workers } = this.#source
    if (path === '/metrics') {
      response.writeHead(200, {
        'content-type': 'text/plain; version=0.0.4; charset=utf-8',
        'cache-control': 'no-store',
      })
      response.end(await this.#source.metrics())
      return
    }
    if (path === '/livez') return send(response, 200, { status: 'live', workers })
    const obstacles = await this.#source.obstacles()
    if (obstacles.length === 0) send(response, 200, { status: 'ready', workers })
    else send(response, 503, { status: 'not ready', because: obstacles, workers })
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', connection: 'close' })
  response.end(`${JSON.stringify(body)}\n`)
}
