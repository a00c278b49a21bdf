// The script that PoolMQ began with, line for line:
//
//   with multiprocessing.Pool(2, initializer=init, initargs=('seed',)) as pool:
//       handles = [pool.apply_async(hello, (name,)) for name in ('Ada', 'Grace', 'Alan')]
//       for handle in handles: print(handle.get())
//       for bye in pool.map(hello, ['Edsger', 'Barbara', 'Donald', 'Frances']): print(bye)
//       result = pool.map_async(hello, ['Guido', 'Anders'], callback=lambda byes: print(len(byes), 'said bye'))
//       print(result.get())
//       pool.close()
//       pool.join()
//
// Run it with: npm run build && node examples/dist/seed.js
import { Pool } from '@poolmq/client'
import { greetings } from './seed-tasks.js'

console.log(`The producer is PID ${process.pid}`)

await using pool = new Pool({ processes: 2, initializer: greetings.init, initArgs: ['seed'] })

// Three calls at once, on two processes.
const handles = ['Ada', 'Grace', 'Alan'].map((name) => pool.applyAsync(greetings.hello, [name]))
for (const handle of handles) console.log(await handle.get())

// A map that waits: its results are in the order of its input.
for (const bye of await pool.map(greetings.hello, ['Edsger', 'Barbara', 'Donald', 'Frances'])) console.log(bye)

// A map that does not wait, and calls back.
const result = pool.mapAsync(greetings.hello, ['Guido', 'Anders'], {
  callback: (byes) => console.log(`${byes.length} said bye`),
})
console.log(await result.get())

pool.close()
await pool.join()
