// What the compiler wrote for sources that are gone: it leaves that where it is, and it would be packed and published.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { packages } from './packages.mjs'

/** Removes it from the packages' dist/. */
export function removeStaleOutput() {
  for (const { directory } of packages()) {
    for (const file of readdirSync(join(directory, 'dist'), { recursive: true })) {
      const source = /^(.*?)\.(?:d\.[cm]?ts|[cm]?js)(?:\.map)?$/.exec(file)?.[1]
      if (source !== undefined && !existsSync(join(directory, 'src', `${source}.ts`))) {
        rmSync(join(directory, 'dist', file))
      }
    }
  }
}
