// What a failure of Redis means, and what to do about it.
import { expect, test } from 'vitest'
import { explainFailure } from '../../../../packages/shared/src/redis/connection-failure.js'

const target = { kind: 'server', options: { host: 'redis.example', port: 6379 } } as const

test.each([
  ["OOM command not allowed when used memory > 'maxmemory'.", 'its memory is full', 'Raise maxmemory'],
  ['BUSY Redis is busy running a script.', 'it is busy with a script', 'SCRIPT KILL'],
  ['MISCONF Redis is configured to save RDB snapshots', 'it cannot save it', 'disk'],
  ["ERR unknown command 'info', with args beginning with: ", 'does not know a command', 'rename-command'],
  ['write EPIPE', 'it closed the connection at once', 'maxclients'],
])('%s', (message, what, advice) => {
  const error = explainFailure(new Error(message), target)
  expect(error.message).toContain('redis://redis.example:6379')
  for (const part of [message.trim(), what, advice]) expect(error.message).toContain(part)
})
