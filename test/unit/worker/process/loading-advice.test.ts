import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { loadingAdvice } from '../../../../packages/worker/dist/process/loading-advice.js'

const directory = mkdtempSync(join(tmpdir(), 'poolmq-advice-'))
afterAll(() => rmSync(directory, { recursive: true }))

const failure = (code: string, message: string, more: object = {}) =>
  Object.assign(new Error(message), { code, ...more })

describe('a module in TypeScript that this Node.js cannot load', () => {
  test.each(['ts', 'mts', 'cts', 'tsx'])('.%s', (ending) => {
    const said = loadingAdvice(
      failure('ERR_UNKNOWN_FILE_EXTENSION', `Unknown file extension ".${ending}" for /app/tasks.${ending}`),
    )
    for (const cure of ['--import tsx', 'execArgv', '22.18', 'compile']) expect(said).toContain(cure)
  })

  test.each(['ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX', 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING'])('%s', (code) => {
    expect(loadingAdvice(failure(code, 'TypeScript enum is not supported in strip-only mode'))).toContain(
      '--import tsx',
    )
  })
})

test('a file that is there under its TypeScript name only', () => {
  writeFileSync(join(directory, 'helper.ts'), '')
  const url = pathToFileURL(join(directory, 'helper.js')).href
  expect(loadingAdvice(failure('ERR_MODULE_NOT_FOUND', 'Cannot find module', { url }))).toContain('helper.ts')
  const other = pathToFileURL(join(directory, 'other.js')).href
  expect(loadingAdvice(failure('ERR_MODULE_NOT_FOUND', 'Cannot find module', { url: other }))).toBe('')
})

test.each([
  new Error('no table'),
  failure('ERR_UNKNOWN_FILE_EXTENSION', 'Unknown file extension ".wasm" for /app/tasks.wasm'),
  failure('ERR_MODULE_NOT_FOUND', "Cannot find package 'left-pad'"),
  'thrown text',
])('%s speaks for itself', (error) => {
  expect(loadingAdvice(error)).toBe('')
})
