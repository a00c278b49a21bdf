/**
 * Who may ask the dashboard what. A page that a browser shows can send requests to any address that the browser reaches,
 * this one too, and can have its own name resolve to it (DNS rebinding). So: the name under which it is asked must be known,
 * nothing changes anything that does not come from its own page, and elsewhere than on this machine a token is asked for.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

export interface GuardOptions {
  /** Names and addresses under which it may be asked, without ports. */
  readonly hosts: readonly string[]
  /** What must be shown, where anybody could ask. */
  readonly token: string | undefined
  /** Whether anything may be changed at all. */
  readonly allowControl: boolean
}

export interface Refusal {
  readonly status: number
  readonly error: string
}

const cookie = 'poolmq-token'

export class RequestGuard {
  readonly #options: GuardOptions
  readonly #hosts: ReadonlySet<string>

  constructor(options: GuardOptions) {
    this.#options = options
    this.#hosts = new Set(options.hosts.map((host) => host.toLowerCase()))
  }

  /** Why a request is refused; undefined when it is not. */
  refuse(request: IncomingMessage): Refusal | undefined {
    if (!this.#hosts.has(hostOf(request.headers.host ?? ''))) {
      return { status: 421, error: 'this name is not the dashboard’s; see --allow-host' }
    }
    if (!this.#isShown(request)) return { status: 401, error: 'a token is needed: open the address that was printed' }
    if (request.method === 'GET' || request.method === 'HEAD') return undefined
    if (request.method !== 'POST') return { status: 405, error: 'use GET or POST' }
    if (!this.#options.allowControl) {
      return { status: 403, error: 'the dashboard is read-only; start it with --allow-control' }
    }
    // Every browser of today says where a request comes from; what does not say so is not the dashboard's page.
    if (request.headers['sec-fetch-site'] !== 'same-origin') {
      return { status: 403, error: 'only the dashboard’s own page may ask for this' }
    }
    if (!/^application\/json *(;|$)/i.test(request.headers['content-type'] ?? ''))
      return { status: 415, error: 'send application/json' }
    return undefined
  }

  /** The cookie by which a browser shows the token from now on, where it was in the address; undefined where it was not. */
  cookieFor(url: URL): string | undefined {
    const given = url.searchParams.get('token')
    if (given === null || !this.#isToken(given)) return undefined
    return `${cookie}=${encodeURIComponent(given)}; HttpOnly; SameSite=Strict; Path=/`
  }

  #isShown({ headers, url = '/' }: IncomingMessage): boolean {
    if (this.#options.token === undefined) return true
    const bearer = /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]
    const baked = (headers.cookie ?? '').split(/; */).find((one) => one.startsWith(`${cookie}=`))
    const given = [bearer, baked && decoded(baked.slice(cookie.length + 1)), tokenIn(url)]
    return given.some((one) => typeof one === 'string' && this.#isToken(one))
  }

  /** Compares hashes of a fixed length, in a time that tells nothing. */
  #isToken(given: string): boolean {
    const { token } = this.#options
    return token !== undefined && timingSafeEqual(hash(given), hash(token))
  }
}

const hash = (text: string) => createHash('sha256').update(text).digest()

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined // not what was set
  }
}

function tokenIn(url: string): string | undefined {
  return URL.canParse(url, 'http://dashboard')
    ? (new URL(url, 'http://dashboard').searchParams.get('token') ?? undefined)
    : undefined
}

/** The name in a Host header, without its port, as addresses are written in URLs. */
function hostOf(header: string): string {
  const match = /^(\[[\da-f:.]+\]|[^:[\]]+)(:\d+)?$/i.exec(header)
  return (match?.[1] ?? '').toLowerCase()
}
