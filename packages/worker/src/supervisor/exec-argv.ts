/**
 * The options of Node that this process was started with and its children need as well: loaders, conditions, memory
 * limits. What makes sense for one program only is left out: its own text, its input type, an inspector's port, watching.
 */
export function inheritedExecArgv(own: readonly string[] = process.execArgv): string[] {
  const inherited: string[] = []
  for (let i = 0; i < own.length; i++) {
    const argument = own[i] as string
    if (/^(-e|-p|-pe|--eval|--print)$/.test(argument)) i++
    else if (!/^(--input-type|--inspect|--watch|--test|--eval=|--print=|-i$|--interactive)/.test(argument)) {
      inherited.push(argument)
    }
  }
  return inherited
}
