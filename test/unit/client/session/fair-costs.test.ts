// What clients of a pool tell each other of what their chunks took: when, and that nobody is held up by it.
import { PoolKeys, type RedisLink } from '@poolmq/shared'
import { expect, test } from 'vitest'
import { FairCosts } from '../../../../packages/client/dist/session/fair-costs.js'
import { FairShare } from '../../../../packages/client/dist/session/fair-share.js'

/** A client's costs on a Redis that answers when it is told to; `told` is what each script was given. */
function costsOf(share: FairShare) {
  const told: string[][] = []
  const answers: Answer[] = []
  const ask = () => {
    const answer = {} as Answer
    const reply = new Promise<unknown>((resolve, reject) => Object.assign(answer, { resolve, reject }))
    answers.push(answer)
    return reply
  }
  const client = {
    hgetall: ask,
    evalsha: (_hash: string, keys: number, all: unknown[]) => {
      told.push(all.slice(keys).map(String))
      return ask()
    },
  }
  return { told, answers, costs: new FairCosts({ client } as unknown as RedisLink, new PoolKeys('p'), share) }
}
interface Answer {
  resolve(value: unknown): void
  reject(error: Error): void
}
const turn = () => new Promise((resolve) => setImmediate(resolve))
const stepOf = (share: FairShare) =>
  share.of([
    { taskId: 't', chunk: { length: 1 } },
    { taskId: 't2', chunk: { length: 1 } },
  ])

test('of a private pool nothing is asked or told', async () => {
  const share = new FairShare('k', 1, false)
  const { told, answers, costs } = costsOf(share)
  await costs.learn()
  share.heard('t', 1, 100)
  costs.tell()
  expect([told, answers]).toEqual([[], []])
})

test('what others have seen is learned; that Redis does not answer is no failure', async () => {
  const share = new FairShare('k', 1)
  const { answers, costs } = costsOf(share)
  const failed = costs.learn()
  answers[0]?.reject(new Error('READONLY'))
  await failed
  const learned = costs.learn()
  answers[1]?.resolve({ t: '0.3 0.31 7', t2: '0.1 0.1 1' })
  await learned
  expect(stepOf(share)).toEqual({ key: 'k', step: expect.closeTo(0.2, 10) })
})

test('what is heard while something is told follows it, and nothing after the end', async () => {
  const share = new FairShare('k', 1)
  const { told, answers, costs } = costsOf(share)
  share.heard('t', 1, 100)
  share.heard('t2', 1, 300)
  costs.tell()
  expect(told).toEqual([['t', '1', '0.100000']])
  answers[0]?.resolve(['0.2'])
  await turn()
  expect(told.slice(1)).toEqual([['t2', '1', '0.300000']])
  answers[1]?.reject(new Error('LOADING'))
  await turn()
  // Of the one it is known what all have seen, of the other what was heard here.
  expect(stepOf(share)).toEqual({ key: 'k', step: expect.closeTo(0.25, 10) })
  costs.tell()
  expect(told).toHaveLength(2)
  costs.stop()
  share.heard('t', 1, 100)
  costs.tell()
  await turn()
  expect(told).toHaveLength(2)
})
