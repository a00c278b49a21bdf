import { expect, test } from 'vitest'
import { inheritedExecArgv } from '../../../../packages/worker/src/supervisor/exec-argv.js'

test.each([
  [[], []],
  [
    ['--import', 'tsx'],
    ['--import', 'tsx'],
  ],
  [
    ['--conditions=development', '--max-old-space-size=512'],
    ['--conditions=development', '--max-old-space-size=512'],
  ],
  [['--input-type=module', '-e', 'console.log(1)'], []],
  [['--enable-source-maps', '-p', '1 + 1'], ['--enable-source-maps']],
  [
    ['--inspect-brk=9229', '--watch', '--import', 'tsx'],
    ['--import', 'tsx'],
  ],
])('of %j a child inherits %j', (own, inherited) => {
  expect(inheritedExecArgv(own)).toEqual(inherited)
})
