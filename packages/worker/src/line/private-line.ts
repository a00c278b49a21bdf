/**
 * One end of a line between two processes that only PoolMQ speaks on. Node's own channel (`process.send`, `'message'`,
 * `process.disconnect`) belongs to user code and to the libraries that it loads: what they say there is none of ours, and
 * what we say is none of theirs. Messages are lines of JSON.
 */
import { connect, type NetConnectOpts, Socket } from 'node:net'

/** The descriptor of the line in a process that was started with one: the one after Node's own channel. */
const lineInChild = 4

export class PrivateLine<Heard, Said> {
  readonly #socket: Socket
  /** What was heard before anybody listened. */
  readonly #early: Heard[] = []
  #listener = (message: Heard): void => void this.#early.push(message)
  /** The beginning of a message whose end has not arrived. */
  #begun: string[] = []
  #open = true

  /** @param onClose - the other end is gone: its process has ended */
  constructor(socket: Socket, onClose: () => void) {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => this.#hear(text))
    socket.on('error', () => undefined) // the other end is gone: `close` follows
    socket.once('close', () => {
      this.#open = false
      onClose()
    })
  }

  /** The line to the process that has started this one. */
  static toParent<Heard, Said>(onClose: () => void): PrivateLine<Heard, Said> {
    return new PrivateLine(openDescriptor(lineInChild), onClose)
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** @param onSent - called when it was handed to the system, or when nobody is left to hear it */
  send(message: Said, onSent?: () => void): void {
    if (this.#open) this.#socket.write(`${JSON.stringify(message)}\n`, onSent)
    else onSent?.()
  }

  onMessage(listener: (message: Heard) => void): void {
    this.#listener = listener
    for (const message of this.#early.splice(0)) listener(message)
  }

  /** It does not keep this process alive. */
  unref(): void {
    ;(this.#socket as Partial<Socket>).unref?.() // in Bun a pipe to a child has none, and keeps no process alive
  }

  #hear(text: string): void {
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      const message = this.#begun.join('') + text.slice(start, end)
      this.#begun = []
      start = end + 1
      const heard = parsed(message)
      if (heard !== undefined) this.#listener(heard as Heard)
    }
    if (start < text.length) this.#begun.push(text.slice(start))
  }
}

/** Bun takes a descriptor where Node takes an address, and ignores it where Node takes it. */
function openDescriptor(fd: number): Socket {
  if (process.versions.bun !== undefined) return connect({ fd } as unknown as NetConnectOpts)
  return new Socket({ fd, readable: true, writable: true })
}

/** A message; undefined for what is none: something else in that process has taken the descriptor for its own. */
function parsed(text: string): object | undefined {
  try {
    const message: unknown = JSON.parse(text)
    return typeof message === 'object' && message !== null && 'type' in message ? message : undefined
  } catch {
    return undefined
  }
}
