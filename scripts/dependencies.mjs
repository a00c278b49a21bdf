// Installs what pnpm-lock.yaml names, with the pnpm that package.json pins, whatever the machine has.
import { existsSync, readFileSync } from 'node:fs'
import { findOnPath, outputOf, runInForeground } from './programs.mjs'
import { Advice, inRoot, pnpmVersion, say } from './workspace.mjs'

/** Installs the dependencies unless node_modules is what the lock file asks for. */
export async function ensureDependencies() {
  if (isInstalled()) return
  const [program, ...args] = pnpmCommand()
  say(`installing the dependencies with pnpm ${pnpmVersion}`)
  // The answer to pnpm's question whether it may replace a node_modules that another version made.
  const install = [...args, 'install', '--frozen-lockfile', '--config.confirm-modules-purge=false']
  const code = await runInForeground(program, install, { stdin: 'ignore' })
  if (code !== 0) throw new Advice(`pnpm install failed with exit code ${code}; its output is above`)
}

/** pnpm keeps the lock file that it installed from, and writes .modules.yaml last. */
function isInstalled() {
  const installed = inRoot('node_modules/.pnpm/lock.yaml')
  if (!existsSync(installed) || !existsSync(inRoot('node_modules/.modules.yaml'))) return false
  return readFileSync(installed, 'utf8') === readFileSync(inRoot('pnpm-lock.yaml'), 'utf8')
}

/** The command for the pinned pnpm: the machine's own when its major and minor are the pinned ones, else through npx. */
export function pnpmCommand() {
  const own = findOnPath('pnpm')
  if (own && sameMinor(outputOf(own, ['--version']) ?? '')) return [own]
  const npx = findOnPath('npx')
  if (!npx) throw new Advice(`neither pnpm ${pnpmVersion} nor npx is on PATH: install npm, it brings npx`)
  return [npx, '--yes', `pnpm@${pnpmVersion}`]
}

const sameMinor = (version) => minorOf(version) === minorOf(pnpmVersion)

const minorOf = (version) => version.split('.').slice(0, 2).join('.')
