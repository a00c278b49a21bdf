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
      write(resolve(directory, entry.require.default), entryText(basename(file)))
      declare(file.replace(/\.js$/, '.d.ts'), done)
    }
  }
}

/**
 * Jest runs modules in a context with a `require` of its own, which knows no ES modules before Node.js 24.9. Its globals are
 * the real ones: by way of them, ours are loaded as Node loads them, once for all test files of a process.
 */
const entryText = (file) => `const outside = () => URL.constructor('return process')().getBuiltinModule('module')
module.exports =
  typeof jest === 'undefined' ? require('./${file}') : outside().createRequire(__filename)('./${file}')
`

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
