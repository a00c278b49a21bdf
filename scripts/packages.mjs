import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pnpmCommand } from './dependencies.mjs'
import { runInForeground } from './programs.mjs'
import { Advice, inRoot } from './workspace.mjs'

/** What is published, in the order in which it is. */
const names = ['shared', 'worker', 'client']

/** The directory and the manifest of each. */
export const packages = () =>
  names.map((name) => {
    const directory = inRoot('packages', name)
    return { name, directory, manifest: JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) }
  })

/** Packs all of them into a directory, as they would be published; returns the tarballs, by the packages' short names. */
export async function packInto(directory) {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const [program, ...args] = pnpmCommand()
  for (const one of packages()) {
    // They are built already: the scripts of the packages, for whoever packs by hand, would only do it again.
    const pack = [...args, '--config.ignore-scripts=true', 'pack', '--pack-destination', directory]
    const code = await runInForeground(program, pack, { cwd: one.directory, stdin: 'ignore', quiet: true })
    if (code !== 0) throw new Advice(`${[program, ...pack].join(' ')} failed in ${one.directory}`)
  }
  const files = readdirSync(directory)
  return Object.fromEntries(
    names.map((name) => [
      name,
      join(
        directory,
        files.find((file) => file.startsWith(`poolmq-${name}-`)),
      ),
    ]),
  )
}
