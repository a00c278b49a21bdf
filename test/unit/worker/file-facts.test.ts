// A process that has looked at a pipe, or at a socket, still imports what is installed through links.
import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const worker = new URL('../../../packages/worker/dist/', import.meta.url)
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'poolmq-facts-')))

/** `linked` is installed as a link to where its own dependency is beside it. */
beforeAll(() => {
  const store = join(folder, 'store/node_modules')
  for (const [name, text] of [
    ['linked', "module.exports = require('beside')"],
    ['beside', "module.exports = 'found'"],
  ] as const) {
    mkdirSync(join(store, name), { recursive: true })
    writeFileSync(join(store, name, 'index.js'), text)
  }
  mkdirSync(join(folder, 'program/node_modules'), { recursive: true })
  symlinkSync(join(store, 'linked'), join(folder, 'program/node_modules/linked'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function program(look: string): string {
  const path = join(folder, 'program', `${look.replaceAll(/\W/g, '').slice(0, 30)}.mjs`)
  const modules = ['file-facts', 'log-output'].map((name) => JSON.stringify(new URL(`${name}.js`, worker).href))
  writeFileSync(
    path,
    `import { factsOf } from ${modules[0]}
import { LogOutput } from ${modules[1]}
import { createRequire } from 'node:module'
const require = createRequire(import.meta.url)
${look}
process.stdout.write(require('linked'))`,
  )
  return path
}

const looks = ['factsOf(2)', "new LogOutput().write('a line\\n')", 'factsOf(1); factsOf(0)']

test.each(looks)('after %s, where these are sockets', async (look) => {
  const { stdout } = await promisify(execFile)(process.execPath, [program(look)])
  expect(stdout).toBe('found')
})

test.each(looks)('after %s, where these are pipes', async (look) => {
  const run = spawn('sh', ['-c', `true | "$0" "$1" 2>&1 | cat`, process.execPath, program(look)])
  let said = ''
  for await (const text of run.stdout.setEncoding('utf8')) said += text
  expect(said).toMatch(/found$/)
})
