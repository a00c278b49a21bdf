/** A way in which TypeScript and JavaScript people set up a project, as a row of the table of consumers. */
export interface Setup {
  readonly name: string
  /** The versions of Node.js to run it with. @defaultValue that which runs the tests */
  readonly node?: readonly string[]
  /** @defaultValue 'npm' */
  readonly installer?: 'npm' | 'pnpm'
  /** The one package of ours that is named. @defaultValue 'client' */
  readonly uses?: 'client' | 'worker'
  /** What is installed beside it. */
  readonly dependencies?: Readonly<Record<string, string>>
  /** The `type` of package.json; 'none': it has none. @defaultValue 'module' */
  readonly type?: 'module' | 'commonjs' | 'none'
  readonly files: Readonly<Record<string, string>>
  /** Lines of shell, one after the other. All but the last must end with 0. */
  readonly steps: readonly string[]
  /** What the last one must say. */
  readonly says: RegExp
  /** The last one must fail: with this error, and soon. @defaultValue false */
  readonly fails?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** It needs a Redis that others reach too: it is given the tests' own. Else PoolMQ starts its own. */
  readonly redis?: boolean
  /** Why it cannot run here, in one line. */
  readonly leftOut?: () => string | undefined
}
