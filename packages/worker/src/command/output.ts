/**
 * What a command prints: a table for people, JSON for programs. As JSON it prints JSON and nothing else, so that a program
 * need not tell prose from data; what is wrong goes to standard error.
 */
import Table from 'cli-table3'
import { Option } from 'commander'

export type OutputForm = 'text' | 'json' | 'jsonl'

export interface OutputFlags {
  readonly output: OutputForm
}

export function outputFlag(): Option {
  const option = new Option('-o, --output <form>', 'how to print').choices(['text', 'json', 'jsonl']).default('text')
  return process.env.POOLMQ_OUTPUT === '' ? option : option.env('POOLMQ_OUTPUT')
}

/** Prints one thing: as JSON, or as the lines of a text. */
export function printOne(form: OutputForm, value: object, text: () => string): void {
  print(form === 'json' ? JSON.stringify(value, null, 2) : form === 'jsonl' ? JSON.stringify(value) : text())
}

/** Prints a list: as one JSON array, as a line of JSON each, or as a table. */
export function printList<T extends object>(form: OutputForm, list: readonly T[], text: () => string): void {
  if (form === 'json') print(JSON.stringify(list, null, 2))
  else if (form === 'text') print(text())
  else for (const one of list) print(JSON.stringify(one))
}

/** A table without lines, as far as a terminal is concerned: easy to read, easy to cut. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const none = Object.fromEntries(
    ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
      .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'])
      .map((part) => [part, '']),
  )
  const made = new Table({
    head: head.map((name) => name.toUpperCase()),
    chars: { ...none, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  made.push(...rows.map((row) => row.map((cell) => printable(String(cell)))))
  return made.toString().replace(/[ ]+$/gm, '')
}

/** Milliseconds for people: `350 ms`, `12 s`, `3 min`, `2 h`. */
export function duration(milliseconds: number | null): string {
  if (milliseconds === null) return '-'
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  const seconds = milliseconds / 1000
  if (seconds < 120) return `${Math.round(seconds)} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}

/** Names come from others' records: nothing in them may steer a terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd')
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
