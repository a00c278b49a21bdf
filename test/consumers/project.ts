/**
 * An empty project with the packed packages installed from their tarballs, as a user has it after `npm install`. Projects
 * of the same dependencies are installed once and then linked: what an installer does is the same each time.
 */
import { execFile, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Setup } from './setup.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** Milliseconds for an installation: the first one fetches what no cache has. */
const installLimit = 300_000

/** A machine from which no registry of packages is to be reached cannot install any: no fault of ours. */
export class NoRegistry extends Error {}

const noRegistry = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ERR_PNPM_META_FETCH_FAIL)\b/

function impediment(output: string): NoRegistry | undefined {
  const found = noRegistry.exec(output)
  return found === null ? undefined : new NoRegistry(`no registry of packages is reached (${found[0]})`)
}

export interface Ran {
  readonly code: number
  readonly output: string
}

export class Projects implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'poolmq-consumers-'))
  readonly #tarballs: Readonly<Record<string, string>>
  /** Why nothing could be packed here: what packs is a package itself. */
  readonly #impediment: NoRegistry | undefined
  readonly #installed = new Map<string, Promise<string>>()
  #number = 0

  constructor() {
    const tarballs = join(this.#directory, 'tarballs')
    const packed = spawnSync(process.execPath, [join(root, 'scripts/run.mjs'), 'pack', tarballs], { encoding: 'utf8' })
    this.#impediment = packed.status === 0 ? undefined : impediment(packed.stderr)
    if (packed.status !== 0 && this.#impediment === undefined) throw new Error(`packing failed: ${packed.stderr}`)
    this.#tarballs = Object.fromEntries(
      (this.#impediment === undefined ? readdirSync(tarballs) : []).map((file) => [
        /^poolmq-(\w+)-/.exec(file)?.[1] ?? file,
        join(tarballs, file),
      ]),
    )
  }

  /** A project with the files and the dependencies of a set-up. */
  async create(setup: Setup): Promise<string> {
    if (this.#impediment !== undefined) throw this.#impediment
    const manifest = this.#manifest(setup)
    const key = JSON.stringify([setup.installer, manifest])
    let installed = this.#installed.get(key)
    if (installed === undefined) {
      installed = this.#install(setup, manifest)
      this.#installed.set(key, installed)
    }
    const from = await installed
    const directory = join(this.#directory, `project-${++this.#number}`)
    // Hard links: the files of node_modules are only read.
    if (spawnSync('cp', ['-al', from, directory]).status !== 0) cpSync(from, directory, { recursive: true })
    rmSync(join(directory, 'package.json'))
    const files = {
      'package.json': JSON.stringify({ ...manifest, ...(setup.type !== 'none' && { type: setup.type ?? 'module' }) }),
      ...setup.files,
    }
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, name)), { recursive: true })
      writeFileSync(join(directory, name), text)
    }
    return directory
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** The one package that a user names; the others come with it, and have never been published. */
  #manifest(setup: Setup): Record<string, unknown> {
    const own = setup.uses ?? 'client'
    const file = (name: string) => `file:${this.#tarballs[name]}`
    const others = Object.keys(this.#tarballs).filter((name) => name !== own)
    const overrides = Object.fromEntries(others.map((name) => [`@poolmq/${name}`, file(name)]))
    return {
      name: 'consumer',
      private: true,
      version: '1.0.0',
      dependencies: { [`@poolmq/${own}`]: file(own), ...setup.dependencies },
      ...(setup.installer === 'pnpm' ? { pnpm: { overrides } } : { overrides }),
    }
  }

  async #install(setup: Setup, manifest: object): Promise<string> {
    const directory = join(this.#directory, `installed-${this.#installed.size}`)
    mkdirSync(directory)
    writeFileSync(join(directory, 'package.json'), JSON.stringify(manifest))
    const command =
      setup.installer === 'pnpm'
        ? `npx --yes ${pinnedPnpm()} install --prefer-offline`
        : 'npm install --prefer-offline --no-audit --no-fund'
    const { code, output } = await run(command, directory, {}, installLimit)
    if (code !== 0) {
      throw impediment(output) ?? new Error(`${command} failed with exit code ${code}: ${output}`)
    }
    return directory
  }
}

function pinnedPnpm(): string {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { packageManager: string }
  return packageManager.split('+')[0] as string
}

const directories = new Map<string, string>()

/** The directory of a `node` of this version, from npm's packages where it is not the one that runs the tests. */
export function nodeDirectory(version: string): string {
  let directory = directories.get(version)
  if (directory === undefined) {
    const args = [join(root, 'scripts/run.mjs'), 'node', version]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: installLimit })
    if (status !== 0) throw new Error(`there is no Node.js ${version}: ${stderr}`)
    directory = stdout.trim()
    directories.set(version, directory)
  }
  return directory
}

/** Runs a line of shell; resolves with all that it has said. */
export function run(command: string, cwd: string, env: NodeJS.ProcessEnv, limit: number, node?: string): Promise<Ran> {
  const path = [node, join(cwd, 'node_modules/.bin'), process.env.PATH].filter(Boolean).join(delimiter)
  // What the package manager and vitest have put there for themselves is of no use to the project.
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|VITEST|NODE_(OPTIONS|PATH|ENV)|REDIS_URL|INIT_CWD|CI$)/i.test(name),
  )
  const options = { cwd, env: { ...Object.fromEntries(kept), ...env, PATH: path }, timeout: limit, maxBuffer: 2 ** 26 }
  return new Promise((resolve) => {
    execFile('/bin/sh', ['-c', command], { ...options, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
      const late = error?.killed === true ? `\n(ended after ${limit} ms)` : ''
      resolve({ code, output: `${stdout}${stderr}${late}` })
    })
  })
}
