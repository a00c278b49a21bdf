import { defineConfig } from 'vitest/config'
import { leftOut } from './test/support/left-out.js'

// `npm run chaos`, `consumers`, `lanes` and `servers` run the tests that take minutes; `npm test` runs all others.
const suites: Record<string, readonly string[]> = {
  chaos: ['test/chaos/long-*.test.ts'],
  consumers: ['test/consumers/*.test.ts'],
  lanes: ['test/conformance/lanes.test.ts', 'test/conformance/golden-again.test.ts'],
  servers: ['test/docker/*.test.ts', 'test/integration/servers.test.ts', 'test/integration/clocks.test.ts'],
}
const suite = suites[process.env.POOLMQ_SUITE ?? '']

export default defineConfig(async () => ({
  test: {
    include: [...(suite ?? ['test/**/*.test.ts'])],
    exclude: [
      '**/node_modules/**',
      '**/dist/**',
      ...(suite === undefined ? Object.values(suites).flat() : []),
      ...(suite === undefined || suite === suites.servers || suite === suites.lanes ? await leftOut() : []),
    ],
    globalSetup: ['test/support/redis-provider.ts'],
    // Our own packages and the tests' task modules are loaded as users load them: compiled, by Node itself, once.
    server: { deps: { external: [/\/dist\/.*\.js$/] } },
    // Every test file starts processes of its own, and waits for them half of the time.
    pool: 'forks',
    maxWorkers: 3,
    // Limits end a test that hangs; none is to be reached on a machine that many share.
    testTimeout: 90_000,
    hookTimeout: 90_000,
    typecheck: {
      enabled: suite === undefined,
      include: ['test/types/**/*.test-d.ts'],
      tsconfig: 'test/types/tsconfig.json',
    },
  },
}))
