/** Those who look at a pool while it works: a dashboard with a page open, and a monitoring system that asks each second. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const command = join(dirname(createRequire(import.meta.url).resolve('@poolmq/worker/package.json')), 'bin/poolmq.js')
const interval = 1000

export interface Observers {
  stop(): void
}

export async function startObservers(pool: string): Promise<Observers> {
  const dashboard = await start('dashboard', pool)
  const metrics = await start('metrics', pool)
  const stopped = new AbortController()
  const { signal } = stopped
  const page = await fetch(`${dashboard.url}api/events?pool=${pool}`, { signal })
  void page.body?.pipeTo(new WritableStream()).catch(() => undefined) // stopped
  const scrape = () => fetch(`${metrics.url}metrics`, { signal }).then((response) => response.text())
  await scrape()
  const timer = setInterval(() => void scrape().catch(() => undefined), interval)
  return {
    stop() {
      clearInterval(timer)
      stopped.abort()
      for (const { child } of [dashboard, metrics]) child.kill('SIGTERM')
    },
  }
}

async function start(name: string, pool: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [command, name, '--pool', pool, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child.stdout.setEncoding('utf8')
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (text: string) => {
      const found = /port (\d+)/.exec(text)?.[1] ?? /:(\d+)\//.exec(text)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('exit', () => reject(new Error(`poolmq ${name} ended before it listened`)))
  })
  return { child, url: `http://127.0.0.1:${port}/` }
}
