/** One measurement a process: the seconds from `work` being called until its result is there. */
export async function reportSeconds(work: () => Promise<unknown>, clean: () => Promise<unknown>): Promise<void> {
  const start = performance.now()
  const result = await work()
  const seconds = (performance.now() - start) / 1000
  if (result !== 42) throw new Error(`wrong result: ${String(result)}`)
  process.stdout.write(`${JSON.stringify({ seconds })}\n`)
  await clean()
  process.exit(0)
}
