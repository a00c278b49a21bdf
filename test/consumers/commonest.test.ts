// The three most usual set-ups, from packed tarballs; `npm run consumers` runs all of them.
import { afterAll, expect, inject, test } from 'vitest'
import { consume } from './consumer.js'
import { Projects } from './project.js'
import { commonest } from './setups.js'

const projects = new Projects()
afterAll(() => projects[Symbol.dispose]())
const ownNode = process.versions.node.split('.')[0] as string

test.each(commonest.map((setup) => [setup.name, setup] as const))('%s', async (_name, setup) => {
  const redisUrl = inject('redisProgram') === '' ? inject('redisUrl') : undefined
  await consume(projects, setup, ownNode, redisUrl)
  expect(setup.says).toBeInstanceOf(RegExp)
})
