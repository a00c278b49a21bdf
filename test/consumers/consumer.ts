/** Runs one set-up with one Node.js, and says what is wrong with what it gave. */
import { nodeDirectory, type Projects, run } from './project.js'
import type { Setup } from './setup.js'

/** Milliseconds that only end a step that hangs. */
const stepLimit = 240_000

/** What the last step has said. @throws Error when it did not do what it should. */
export async function consume(
  projects: Projects,
  setup: Setup,
  node: string,
  redisUrl: string | undefined,
): Promise<string> {
  const bin = nodeDirectory(node)
  const directory = await projects.create(setup)
  const env = { ...setup.env, ...(redisUrl !== undefined && { REDIS_URL: redisUrl }) }
  let said = ''
  for (const [index, step] of setup.steps.entries()) {
    const { code, output } = await run(step, directory, env, stepLimit, bin)
    const last = index === setup.steps.length - 1
    const shouldFail = last && setup.fails === true
    if ((code !== 0) !== shouldFail) throw new Error(`${step}: exit code ${code}\n${output}`)
    if (last && !setup.says.test(output)) throw new Error(`${step} did not say ${String(setup.says)}\n${output}`)
    said = output
  }
  return said
}
