/** Network namespaces: hosts of a test's own, as far as the network goes. Removed with all that is in them. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { until } from './until.js'

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] })

export class NetworkNamespace implements Disposable {
  readonly name: string

  constructor() {
    this.name = `poolmq-${randomBytes(4).toString('hex')}`
    ip('netns', 'add', this.name)
    try {
      ip('-n', this.name, 'link', 'set', 'lo', 'up')
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  /** Why there can be none here; undefined when there can. */
  static impediment(): string | undefined {
    try {
      // No `using`: vitest's configuration loads this file, and Node 20 does not know it.
      new NetworkNamespace()[Symbol.dispose]()
      return undefined
    } catch (error) {
      const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: Buffer }
      if (code === 'ENOENT') return 'the command `ip` is missing'
      return `\`ip netns add\` is not permitted: ${stderr?.toString().trim() || String(error)}`
    }
  }

  /** How a program is run in it. */
  get command(): string[] {
    return ['ip', 'netns', 'exec', this.name, process.execPath]
  }

  /** Joins two by a line of their own. The addresses are theirs alone, with the length of their network: 10.0.0.1/24. */
  async connect(own: string, other: NetworkNamespace, others: string): Promise<void> {
    const id = randomBytes(4).toString('hex')
    const [near, far] = [`pmq${id}a`, `pmq${id}b`] as const
    ip('-n', this.name, 'link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', other.name)
    for (const [host, device, address] of [
      [this, near, own],
      [other, far, others],
    ] as const) {
      ip('-n', host.name, 'address', 'add', address, 'dev', device)
      ip('-n', host.name, 'link', 'set', device, 'up')
    }
    // It carries data at once, but is listed among the network's interfaces only when the kernel has noticed.
    for (const [host, device] of [
      [this, near],
      [other, far],
    ] as const) {
      const state = () => String(ip('-n', host.name, '-o', 'link', 'show', device))
      await until(`the line ${device} is up`, state, (text) => text.includes('state UP'))
    }
  }

  /** The lines to it go with it. What runs in it must have been ended before. */
  [Symbol.dispose](): void {
    ip('netns', 'delete', this.name)
  }
}
