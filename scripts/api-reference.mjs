// Writes docs/api.md from the comments in the sources, so that there is one text for readers and for editors.
import { readFileSync, writeFileSync } from 'node:fs'
import { entries, readApi } from './api-model.mjs'
import { Advice, inRoot } from './workspace.mjs'

const file = inRoot('docs/api.md')
/** What users import; the other entries are our packages' own. */
const documented = ['@poolmq/client', '@poolmq/client/testing', '@poolmq/worker/supervisor']

/** Writes the reference; with `check` it only looks whether it is what the sources say. */
export async function writeApiReference({ check = false } = {}) {
  const read = []
  for (const entry of entries) read.push({ ...entry, ...(await readApi(entry)) })
  const complaints = read.flatMap((entry) => {
    const main = read.find(({ name }) => name === entry.beside)
    const known = main?.model.members[0].members.map(({ name }) => `The symbol "${name}" needs to be exported`) ?? []
    return entry.complaints.filter((complaint) => !known.some((text) => complaint.includes(text)))
  })
  if (complaints.length > 0) throw new Advice(`what the packages export is not complete:\n  ${complaints.join('\n  ')}`)
  const text = reference(read.filter(({ name }) => documented.includes(name)))
  const written = readFileSync(file, { encoding: 'utf8', flag: 'a+' })
  if (written === text) return
  if (check) throw new Advice('docs/api.md is not what the sources say: run `npm run api` and commit it')
  writeFileSync(file, text)
}

function reference(read) {
  const parts = read.map(({ name, model }) => {
    const items = model.members[0].members
    const known = new Set(items.map((item) => item.name))
    const sections = groups.map(([title, has]) => {
      const own = items.filter((item) => groupOf(item) === has)
      return own.length === 0
        ? ''
        : `## ${title} of \`${name}\`\n\n${own.map((item) => describe(item, known)).join('\n')}`
    })
    return sections.filter(Boolean).join('\n')
  })
  return `# API reference

<!-- Generated from the sources by \`npm run api\`: change the comments there. -->
<!-- not run: signatures and the comments of the sources, which the compiler checks -->

All times are in milliseconds, all sizes in bytes. What differs from Python, and why: [semantics.md](semantics.md).

${parts.join('\n')}`
}

const groups = [
  ['Classes', 'class'],
  ['Functions', 'function'],
  ['Options and types', 'type'],
  ['Errors', 'error'],
]

function groupOf(item) {
  if (item.kind === 'Class') return /Error$|^RemoteTraceback$/.test(item.name) ? 'error' : 'class'
  return item.kind === 'Function' ? 'function' : 'type'
}

/** Members that stand under their owner, and those that nobody calls by name. */
const isShown = (member) =>
  !/@internal|@hidden/.test(member.docComment ?? '') && !/^(__|\[Symbol\.toStringTag)/.test(member.name ?? '')

function describe(item, known) {
  const members = (item.members ?? []).filter(isShown)
  const head = `### ${item.name}\n\n${code(item)}${prose(item.docComment, known)}`
  return (
    head +
    members
      .map((member) => `#### ${item.name}: ${title(member)}\n\n${code(member)}${prose(member.docComment, known)}`)
      .join('')
  )
}

function title(member) {
  if (member.kind === 'Constructor' || member.kind === 'ConstructSignature') return 'constructor'
  const name = member.name.replace(/^\[|\]$/g, (bracket) => `\\${bracket}`)
  return member.overloadIndex > 1 ? `${name} (${member.overloadIndex})` : name
}

function code(item) {
  const text = item.excerptTokens
    .map((token) => token.text)
    .join('')
    .trim()
  return `\`\`\`ts\n${text.replace(/^export declare /, '')}\n\`\`\`\n\n`
}

/** The text of a comment: what it says, then a list of what its tags say. */
function prose(comment, known) {
  const text = (comment ?? '')
    .replace(/^\/\*\*\s?|\s*\*\/\s*$/g, '')
    .replace(/^\s*\* ?/gm, '')
    .trim()
  const [summary, ...tags] = text.split(
    /(?:^|\s)(?=@(?:param|returns|throws|defaultValue|example|typeParam|remarks)\b)/,
  )
  const lines = tags.map((tag) => {
    const [, name, rest] = /^@(\w+)\s*([\s\S]*)$/.exec(tag.trim())
    if (name === 'example') return `\n${rest.trim()}\n`
    if (name === 'remarks') return `\n${links(rest.trim(), known)}\n`
    const body = links(rest.trim().replace(/\s*\n\s*/g, ' '), known)
    return `- ${labels[name]}${/param/i.test(name) ? body.replace(/^([\w$]+) - /, '`$1`: ') : body}`
  })
  const said = links(summary.trim(), known)
  return [said && `${said}\n\n`, lines.length > 0 && `${lines.join('\n').trim()}\n\n`].filter(Boolean).join('')
}

const labels = {
  param: '',
  typeParam: 'type ',
  returns: '**Returns** ',
  throws: '**Throws** ',
  defaultValue: '**Default**: ',
}

const links = (text, known) =>
  text.replace(/\{@link ([\w.]+)\}/g, (_, name) => {
    const [owner, member] = name.split('.')
    if (!known.has(owner)) return `\`${name}\``
    return `[\`${name}\`](#${[owner, member].filter(Boolean).join('-').toLowerCase()})`
  })
