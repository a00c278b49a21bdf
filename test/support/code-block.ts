/** The code blocks of the documentation, each with the remark before it that says who runs it, or why nobody does. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface CodeBlock {
  readonly page: string
  readonly line: number
  readonly language: string
  readonly text: string
  /** What stands in the comment (`<!-- … -->`) on the line before it. */
  readonly remark: string | undefined
  /** The file that it is, by its first line: `// tasks.ts`. */
  readonly file: string | undefined
}

export const root = fileURLToPath(new URL('../../', import.meta.url))

const inFolder = (folder: string) =>
  readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`)

/** All pages that users and contributors read. */
export const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...inFolder('docs'),
  ...['client', 'worker', 'shared'].map((name) => `packages/${name}/README.md`),
]

export const textOf = (page: string): string => readFileSync(`${root}${page}`, 'utf8')

export function codeBlocks(page: string): CodeBlock[] {
  const lines = textOf(page).split('\n')
  const blocks: CodeBlock[] = []
  for (let i = 0; i < lines.length; i++) {
    const language = /^```(\w*)/.exec(lines[i] ?? '')?.[1]
    if (language === undefined) continue
    const end = lines.indexOf('```', i + 1)
    const text = lines.slice(i + 1, end).join('\n')
    blocks.push({
      page,
      line: i + 1,
      language,
      text,
      remark: /^<!-- (.*) -->$/.exec(lines[i - 1] ?? '')?.[1],
      file: /^\/\/ ([\w-]+\.[cm]?[jt]s)\b/.exec(text)?.[1],
    })
    i = end
  }
  return blocks
}
