// What `npm run chaos -- --minutes N --seed S` takes, as the environment that test/chaos/chaos.test.ts reads.
import { parseArgs } from 'node:util'
import { Advice } from './workspace.mjs'

/** The environment for these arguments, and the arguments that are vitest's. */
export function parseChaosOptions(args) {
  const { values, positionals } = read(args)
  return {
    env: {
      POOLMQ_SUITE: 'chaos',
      ...(values.minutes !== undefined && { POOLMQ_CHAOS_MINUTES: number('--minutes', values.minutes) }),
      ...(values.seed !== undefined && { POOLMQ_CHAOS_SEED: number('--seed', values.seed) }),
    },
    rest: positionals,
  }
}

function read(args) {
  try {
    const options = { minutes: { type: 'string' }, seed: { type: 'string' } }
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    throw new Advice(`${error.message}\nusage: npm run chaos -- [--minutes N] [--seed N] [test file]`)
  }
}

function number(name, text) {
  if (/^\d+(\.\d+)?$/.test(text)) return text
  throw new Advice(`${name} must be a number, got ${JSON.stringify(text)}`)
}
