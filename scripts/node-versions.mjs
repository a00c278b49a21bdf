// Other versions of Node.js, from npm's packages of it. They stay in node_modules/.cache, beside what other tools keep.
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findOnPath, runInForeground } from './programs.mjs'
import { Advice, inRoot } from './workspace.mjs'

/** The oldest that is supported, and the newest of each line that is. */
export const supportedNodes = ['20.19.0', '22', '24']

/** The directory of a `node` of this version: '22' is the newest of that line. */
export async function nodeDirectory(version) {
  if (process.versions.node === version || process.versions.node.startsWith(`${version}.`))
    return dirname(process.execPath)
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const prefix = inRoot('node_modules/.cache/poolmq', `node-${version}`)
  const directory = join(prefix, 'node_modules', name, 'bin')
  if (existsSync(join(directory, 'node'))) return directory
  mkdirSync(prefix, { recursive: true })
  const npm = findOnPath('npm')
  if (!npm) throw new Advice('npm is not on PATH: it brings other versions of Node.js')
  const install = ['install', '--prefix', prefix, '--no-audit', '--no-fund', '--loglevel=error', `${name}@${version}`]
  const code = await runInForeground(npm, install, { stdin: 'ignore', quiet: true })
  if (code !== 0) throw new Advice(`npm install ${name}@${version} failed with exit code ${code}; its output is above`)
  return directory
}
