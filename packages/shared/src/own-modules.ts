/**
 * How our packages find what belongs to them at run time: CommonJS dependencies, and the programs that are started as
 * processes. A bundler may have packed us into another file; then these are looked for where they were installed, from
 * there. Where they are not, one error says what to tell the bundler.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ModuleError } from './errors/errors.js'

/**
 * Loads a CommonJS dependency.
 *
 * @param url - `import.meta.url` of the module that asks: empty in a bundle of CommonJS
 * @throws ModuleError when it is not installed where we are
 */
export function requireOwn(name: string, url: string | undefined): unknown {
  const place = url ?? mainProgram()
  try {
    return createRequire(place)(name)
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'MODULE_NOT_FOUND') throw cause
    throw new ModuleError(missing(name, place), { module: name, cause })
  }
}

/**
 * The path of a program of one of our packages.
 *
 * @param path - of the program in the package
 * @param own - where it is beside the module that asks, whose `import.meta.url` is `url`
 * @throws ModuleError when it is neither there nor where the package was installed
 */
export function ownProgram(packageName: string, path: string, own: string, url: string | undefined): string {
  const place = url ?? mainProgram()
  const beside = new URL(own, place)
  if (url !== undefined && beside.protocol === 'file:' && existsSync(beside)) return fileURLToPath(beside)
  try {
    const installed = createRequire(createRequire(place).resolve('@poolmq/client/package.json'))
    return join(dirname(installed.resolve(`${packageName}/package.json`)), path)
  } catch (cause) {
    throw new ModuleError(missing(`${packageName}/${path}`, place), { module: packageName, cause })
  }
}

/** A bundle of CommonJS does not know where it is; the program that runs is the best guess. */
const mainProgram = () => pathToFileURL(process.argv[1] ?? join(process.cwd(), 'index.js')).href

const missing = (what: string, place: string) =>
  `PoolMQ does not find ${what}, seen from ${place}. It starts programs of its own as processes, so its packages must be ` +
  'installed where the program runs, and are best left out of bundles: esbuild --external:@poolmq/* (or ' +
  "--packages=external); webpack externals: ['@poolmq/client']; Next.js serverExternalPackages: ['@poolmq/client']"
