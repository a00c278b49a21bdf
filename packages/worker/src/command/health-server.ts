/**
 * Answers the probes of an orchestrator over HTTP: `/livez`, whether this process should be left alone, and `/readyz`,
 * whether its host takes chunks. It decides nothing: what keeps the host from taking chunks is its source's to say.
 *
 * `/livez` never depends on Redis, or the loss of Redis would restart every host. That it is answered at all is the proof
 * that the event loop turns.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { HealthSource } from '../supervisor/health-source.js'

export class HealthServer {
  readonly #source: HealthSource
  readonly #server: Server

  constructor(source: HealthSource) {
    this.#source = source
    this.#server = createServer((request, response) => void this.#answer(request, response))
    // It never keeps the process alive.
    this.#server.unref()
  }

  /**
   * Listens on all addresses of the host. Resolves with the port.
   *
   * @param port - 0 for any that is free
   * @throws Error when the port is not to be had
   */
  async start(port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const why = error.code === 'EADDRINUSE' ? 'another program listens there' : error.message
        reject(new Error(`the health port ${port} is not to be had: ${why}`, { cause: error }))
      })
      this.#server.listen(port, resolve)
    })
    const address = this.#server.address()
    return address !== null && typeof address === 'object' ? address.port : port
  }

  /** Drops what is still being asked. */
  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #answer({ method, url = '/' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = url.replace(/\?.*$/s, '')
    if (path !== '/livez' && path !== '/readyz') return send(response, 404, { error: 'there are /livez and /readyz' })
    if (method !== 'GET' && method !== 'HEAD') return send(response, 405, { error: 'use GET' })
    const { workers } = this.#source
    if (path === '/livez') return send(response, 200, { status: 'live', workers })
    const obstacles = await this.#source.obstacles()
    if (obstacles.length === 0) send(response, 200, { status: 'ready', workers })
    else send(response, 503, { status: 'not ready', because: obstacles, workers })
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(`${JSON.stringify(body)}\n`)
}
