import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ModuleError, ownProgram, requireOwn } from '@poolmq/shared'
import { expect, test } from 'vitest'

const program = 'dist/process/worker-process.js'
const nowhere = pathToFileURL('/poolmq/not/there/bundle.js').href

test('a program beside the module that asks', () => {
  const path = ownProgram('@poolmq/worker', 'other.js', './own-modules.test.ts', import.meta.url)
  expect(pathToFileURL(path).href).toBe(import.meta.url)
})

test('a bundle beside node_modules finds the installed program', () => {
  const path = ownProgram('@poolmq/worker', program, './not-there.js', import.meta.url)
  expect(path.endsWith(join('worker', program))).toBe(true)
  expect(existsSync(path)).toBe(true)
})

test('a bundle on its own says what to tell the bundler', () => {
  for (const ask of [
    () => ownProgram('@poolmq/nothing', program, './not-there.js', nowhere),
    () => requireOwn('no-such-dependency', nowhere),
  ]) {
    expect(ask).toThrow(ModuleError)
    expect(ask).toThrow(/bundle\.js.*--external:@poolmq\/\*.*serverExternalPackages/)
  }
})

test('an error inside of a dependency stays what it is', () => {
  expect(() => requireOwn('not an id \0', import.meta.url)).toThrow()
  expect(requireOwn('ioredis', import.meta.url)).toHaveProperty('Redis')
})
