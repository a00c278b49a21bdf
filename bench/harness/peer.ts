/** How a contestant's program is found and started. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Command } from './contestant.js'
import type { Setup } from './job.js'

export interface Peer {
  readonly name: string
  /** Why it cannot play here; undefined when it can. */
  missing(): string | undefined
  command(setup: Setup): Command
}

/** A contestant in TypeScript: a compiled module in peers/. */
export function nodePeer(name: string, module: string): Peer {
  const program = fileURLToPath(new URL(`../peers/${module}.js`, import.meta.url))
  return {
    name,
    missing: () => undefined,
    command: (setup) => ({ program: process.execPath, args: [program, JSON.stringify(setup)] }),
  }
}

/** A contestant in Python: a script in peers/, for the first of these interpreters that has the module. */
export function pythonPeer(name: string, script: string, needs: string, interpreters: readonly string[]): Peer {
  // The scripts are not compiled: they are where the sources are.
  const path = fileURLToPath(new URL(`../../peers/${script}`, import.meta.url))
  let found: string | null | undefined
  const interpreter = () => {
    found ??= interpreters.find((python) => imports(python, needs)) ?? null
    return found
  }
  return {
    name,
    missing: () =>
      interpreter() === null
        ? `no ${interpreters.join(' or ')} that imports ${needs}; bench/peers/install-debian.sh installs it on Debian`
        : undefined,
    command: (setup) => ({ program: interpreter() ?? 'python3', args: [path, JSON.stringify(setup)] }),
  }
}

function imports(python: string, needs: string): boolean {
  return spawnSync(python, ['-c', `import ${needs}`], { stdio: 'ignore', timeout: 20_000 }).status === 0
}
