/**
 * Opens the sockets of our connections, below ioredis, so that the duplicates that BullMQ makes of them are treated the
 * same: a socket never keeps the process alive, and one whose other end no longer answers (a host that is gone, a
 * process that is stopped) is destroyed, upon which ioredis connects again.
 */

import { connect as connectPlain, type NetConnectOpts, type Socket } from 'node:net'
import { clearInterval, setInterval } from 'node:timers'
import { connect as connectTls } from 'node:tls'
import type { RedisOptions } from 'ioredis'
import { AbstractConnector, SentinelConnector } from './ioredis-module.js'

const CHECKS = 4

type ConnectorClass = NonNullable<RedisOptions['Connector']>

/** Where a connector leaves the last error of a socket. */
interface SeenErrors {
  socketError?: Error
}

/** The ioredis `Connector` for these options. */
export function connectorFor(options: RedisOptions, silenceLimit: number, seen: SeenErrors): ConnectorClass {
  return options.sentinels ? masterConnector(silenceLimit) : serverConnector(silenceLimit, seen)
}

function serverConnector(silenceLimit: number, seen: SeenErrors): ConnectorClass {
  return class ServerConnector extends AbstractConnector {
    readonly #options: RedisOptions

    constructor(options: unknown) {
      super((options as RedisOptions).disconnectTimeout ?? 0)
      this.#options = options as RedisOptions
    }

    async connect(): Promise<Socket> {
      this.connecting = true
      await undefined
      // The message by which ioredis knows that it was told to stop.
      if (!this.connecting) throw new Error('Connection is closed.')
      this.stream = watched(openSocket(this.#options), silenceLimit)
      this.stream.once('error', (error: Error) => {
        this.firstError = error
        seen.socketError = error
      })
      return this.stream
    }

    override disconnect(): void {
      this.stream = unlessClosed(this.stream) as Socket
      if (endsAlready(this.stream)) this.connecting = false
      else super.disconnect()
    }
  }
}

function masterConnector(silenceLimit: number): ConnectorClass {
  return class MasterConnector extends SentinelConnector {
    constructor(options: unknown) {
      super(options as ConstructorParameters<typeof SentinelConnector>[0])
    }

    override async connect(onEvent: Parameters<InstanceType<typeof SentinelConnector>['connect']>[0]): Promise<Socket> {
      return watched(await super.connect(onEvent), silenceLimit)
    }

    override disconnect(): void {
      this.stream = unlessClosed(this.stream) as Socket
      if (endsAlready(this.stream)) this.connecting = false
      else super.disconnect()
    }
  }
}

function openSocket({ path, host, port, family, tls }: RedisOptions): Socket {
  const address = path ? { path } : { host, port, ...(family ? { family } : {}) }
  return tls ? connectTls({ ...address, ...tls }) : connectPlain(address as NetConnectOpts)
}

// ioredis ends the socket and destroys it later, which holds the process when the socket was closed before.
function unlessClosed(socket: Socket | undefined): Socket | undefined {
  if (socket?.connecting) socket.destroy()
  return socket?.closed ? undefined : socket
}

const ended = new WeakSet<Socket>()

/**
 * Whether a socket was told to end before: ioredis tells it for each command that a replica has refused, and would listen
 * for its end each time.
 */
function endsAlready(socket: Socket | undefined): boolean {
  if (socket === undefined || ended.has(socket)) return socket !== undefined
  ended.add(socket)
  return false
}

/**
 * Destroys the socket when something was sent, and then nothing came, for `limit`. Counted in checks, not by the clock:
 * a task that blocks this process for a minute must not look like a server that is silent for one.
 */
function watched(socket: Socket, limit: number): Socket {
  let answered = 0
  let silentChecks = 0
  socket.unref()
  socket.on('data', () => {
    answered = socket.bytesWritten
    silentChecks = 0
  })
  const check = () => {
    silentChecks = socket.bytesWritten === answered ? 0 : silentChecks + 1
    if (silentChecks <= CHECKS) return
    socket.destroy(Object.assign(new Error(`no answer from Redis for ${limit} ms`), { code: 'ETIMEDOUT' }))
  }
  const timer = setInterval(check, limit / CHECKS).unref()
  socket.once('close', () => clearInterval(timer))
  return socket
}
