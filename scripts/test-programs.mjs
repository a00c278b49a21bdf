import { installDebianPackage } from './debian-package.mjs'
import { findOnPath } from './programs.mjs'
import { say } from './workspace.mjs'

/** Programs that some tests run beside Redis: each with Debian's package of it. A test that finds none is left out, and says so. */
const programs = [
  {
    package: 'chromium',
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    what: "the tests of the dashboard's page",
  },
  { package: 'prometheus', names: ['promtool'], what: 'the check of the metrics' },
]

/** Installs what is missing of them, where that can be done: for a run of all tests. */
export async function provideProgramsForTests() {
  for (const { package: name, names, what } of programs) {
    if (findOnPath(...names)) continue
    const installed = await installDebianPackage(name, names[0])
    if (!installed.program) say(`for ${what}: nothing, ${installed.reason}`)
  }
}
