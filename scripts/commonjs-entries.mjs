// What `require('@poolmq/client')` and old TypeScript resolvers find. The packages are ES modules, which every supported
// Node.js can require: an entry is one line. Its types are the same declarations once more, as .d.cts files, since a
// TypeScript that compiles CommonJS for `node16` takes a .d.ts of such a package for something that cannot be required.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { packages } from './packages.mjs'

/** Writes them beside the compiled entries of all packages. */
export function writeCommonjsEntries() {
  for (const { directory, manifest } of packages()) {
    const done = new Set()
    for (const entry of Object.values(manifest.exports)) {
      if (entry.require === undefined) continue
      const file = resolve(directory, entry.import.default)
      write(resolve(directory, entry.require.default), `module.exports = require('./${basename(file)}')\n`)
      declare(file.replace(/\.js$/, '.d.ts'), done)
    }
  }
}

/** The declarations of one file, and of all that it refers to. */
function declare(file, done) {
  if (done.has(file)) return
  done.add(file)
  const text = readFileSync(file, 'utf8').replace(/\n\/\/# sourceMappingURL=.*/, '')
  const renamed = text.replace(/((?:from |import\()['"])(\.[^'"]*)\.js(?=['"])/g, (found, before, path) => {
    const other = resolve(dirname(file), `${path}.d.ts`)
    if (!existsSync(other)) return found // an example in a comment
    declare(other, done)
    return `${before}${path}.cjs`
  })
  write(file.replace(/\.d\.ts$/, '.d.cts'), renamed)
}

/** What is the same already keeps its time stamp. */
function write(file, text) {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}
