// CommonJS has no import.meta.url: a module names itself by its path.
import { pathToFileURL } from 'node:url'
import { defineTasks, taskInfo } from '@poolmq/shared'
import { expect, test } from 'vitest'

test.each([['/srv/app/tasks.js'], ['/srv/with space/tä#sks.cjs']])('defineTasks takes %s', (path) => {
  const { f } = defineTasks(path, `path-${Buffer.from(path).toString('hex')}`, { f: () => 1 })
  expect(taskInfo(f).url).toBe(pathToFileURL(path).href)
})

test.each([['tasks.js'], ['./tasks.js'], ['']])('defineTasks does not guess where %j is', (path) => {
  expect(() => defineTasks(path, 'relative', { f: () => 1 })).toThrow(/import\.meta\.url.*__filename/)
})
