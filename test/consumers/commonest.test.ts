// The most usual set-ups, from packed tarballs; `npm run consumers` runs all of them.
import { afterAll, expect, inject, test } from 'vitest'
import { consume } from './consumer.js'
import { NoRegistry, Projects } from './project.js'
import { commonest } from './setups.js'

const projects = new Projects()
afterAll(() => projects[Symbol.dispose]())
const ownNode = process.versions.node.split('.')[0] as string

test.for(commonest.map((setup) => [setup.name, setup] as const))('%s', async ([, setup], { skip }) => {
  const redisUrl = inject('redisProgram') === '' ? inject('redisUrl') : undefined
  try {
    expect(await consume(projects, setup, ownNode, redisUrl)).toMatch(setup.says)
  } catch (error) {
    if (error instanceof NoRegistry) skip(error.message)
    throw error
  }
})
