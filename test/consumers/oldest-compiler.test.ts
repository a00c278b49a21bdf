// The declarations of our packages compile with the oldest TypeScript that the README names: all of them, not only those that
// a program happens to use.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const { resolve } = createRequire(import.meta.url)
const program = fileURLToPath(new URL('../types/program.ts', import.meta.url))
const rules = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--skipLibCheck', 'false']
const target = ['--target', 'es2022', '--types', 'node', '--noEmit']

async function compile(...options: string[]): Promise<string> {
  const tsc = resolve('typescript-oldest/bin/tsc')
  const run = promisify(execFile)(process.execPath, [tsc, ...rules, ...target, ...options, program])
  return run.then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  )
}

test('it is the one that the README names', () => {
  const { version } = JSON.parse(readFileSync(resolve('typescript-oldest/package.json'), 'utf8')) as { version: string }
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  expect(readme).toContain(`TypeScript ${version.split('.').slice(0, 2).join('.')} or later`)
})

test.each([
  ['as Node.js resolves', ['--module', 'nodenext', '--moduleResolution', 'nodenext']],
  ['as bundlers resolve', ['--module', 'esnext', '--moduleResolution', 'bundler']],
])('a program and all declarations, %s', async (_how, options) => {
  expect(await compile(...options)).toBe('')
})
