// How many processors a process may use, by what the system tells of its control groups.
import { expect, test } from 'vitest'
import { availableCores } from '../../../packages/shared/src/available-cores.js'

const half = '50000 100000\n'
const v1 = (group: string, quota: number) => ({
  [`/sys/fs/cgroup/cpu${group}/cpu.cfs_quota_us`]: `${quota}\n`,
  [`/sys/fs/cgroup/cpu${group}/cpu.cfs_period_us`]: '100000\n',
})

test.each<[string, Record<string, string>, number]>([
  ['nothing is known', {}, 8],
  ['no limit', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, 8],
  ['half a processor: one', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': half }, 1],
  ['two and a half: two', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '250000 100000\n' }, 2],
  ['more than there are', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '1600000 100000\n' }, 8],
  [
    'of a group above',
    {
      '/proc/self/cgroup': '0::/a/b\n',
      '/sys/fs/cgroup/a/cpu.max': '300000 100000',
      '/sys/fs/cgroup/a/b/cpu.max': 'max 100000',
    },
    3,
  ],
  [
    'a container, whose path is another outside',
    { '/proc/self/cgroup': '0::/../../x\n', '/sys/fs/cgroup/cpu.max': half },
    1,
  ],
  [
    'first version',
    { '/proc/self/cgroup': '3:cpu,cpuacct:/docker/x\n0::/\n', ...v1('', 200_000), ...v1('/docker', -1) },
    2,
  ],
  [
    'first version, of its own group',
    { '/proc/self/cgroup': '3:cpuset:/\n2:cpu:/a\n', ...v1('', -1), ...v1('/a', 350_000) },
    3,
  ],
  ['first version, no limit', { '/proc/self/cgroup': '1:cpu:/\n', ...v1('', -1) }, 8],
])('%s', (_what, files, cores) => {
  expect(availableCores((path) => files[path], 8)).toBe(cores)
})
