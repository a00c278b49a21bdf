import { type Dirent, readdirSync } from 'node:fs'
import { join } from 'node:path'

const isSource = (entry: Dirent) => entry.isFile() && /\.[jt]s$/.test(entry.name)

/**
 * The paths of all .js and .ts files under a directory, each once: symbolic links are not followed, so pnpm's
 * node_modules, where a package is one directory in .pnpm and many links to it, gives each file once.
 */
export function* sourceFiles(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) yield* sourceFiles(path)
    else if (isSource(entry)) yield path
  }
}
