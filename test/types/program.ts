// Compiled by the oldest TypeScript that is supported, as a program of a user's is: with all declarations checked.
import {
  type AsyncResult,
  currentTask,
  defineTasks,
  type ImapResults,
  Pool,
  PoolError,
  type PoolOptions,
  type Progress,
  RemoteTraceback,
  registerErrors,
  ThreadPool,
  taskRefs,
} from '@poolmq/client'
import { Supervisor } from '@poolmq/worker/supervisor'

export class PaymentError extends Error {}
registerErrors(PaymentError)

export const math = defineTasks('file:///math.js', 'math', {
  square: (x: number) => x * x,
  plus: (a: number, b = 2) => a + b,
  later: async (text: string) => text.length,
  greet: (name: string, options?: { readonly greeting: string }) => `${options?.greeting} ${name}`,
})

export async function main(options: PoolOptions): Promise<string[]> {
  const pool = new Pool(options)
  const squares: number[] = await pool.map(math.square, [1, 2], { onProgress: ({ done }: Progress) => done })
  const sum: number = await pool.apply(math.plus, [1])
  const sums: number[] = await pool.starmap(math.plus, [[1], [1, 2]])
  const text: string = await pool.apply(math.greet, ['Ada'], { greeting: 'Hi' })
  const lengths: ImapResults<number> = pool.imap(math.later, ['a'])
  for await (const length of lengths) squares.push(length)
  const handle: AsyncResult<number> = pool.applyAsync(math.square, [1], undefined, {
    callback: (value) => value.toFixed(),
    errorCallback: (error) => (error instanceof PoolError ? error.code : RemoteTraceback.of(error)?.text),
  })
  const remote = taskRefs<{ later: (text: string) => Promise<number> }>('math')
  sums.push(...(await pool.map(remote.later, new Set(['a']))), await handle, currentTask()?.index ?? 0)
  // @ts-expect-error a wrong item
  await pool.map(math.square, ['1'])
  // @ts-expect-error a parameter without a type
  defineTasks('file:///more.js', 'more', { square: (x) => x * x })
  // @ts-expect-error options in the place of kwds
  await pool.apply(math.square, [1], { timeout: 300 })
  const threads = new ThreadPool(2)
  await threads.terminate()
  return [text, String(sum), ...sums.map(String), Supervisor.name]
}
