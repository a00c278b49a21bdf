/** The inputs of the workloads, made before the clock runs. */

/** 0, 1, … n - 1. */
export function numbers(items: number): number[] {
  return Array.from({ length: items }, (_, i) => i)
}

export function* countTo(items: number): Generator<number> {
  for (let i = 0; i < items; i++) yield i
}

/** Texts that look like base64, each different in its first characters. */
export function texts(items: number, bytes: number): string[] {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  let seed = 1
  let text = ''
  while (text.length < bytes) {
    seed = (seed * 48271) % 2147483647
    text += alphabet[seed % 64]
  }
  return Array.from({ length: items }, (_, i) => String(i).padStart(8, '0') + text.slice(8))
}

/** Chunks of an array. */
export function cut<T>(items: readonly T[], size: number): T[][] {
  const chunks: T[][] = []
  for (let i = 0; i < items.length; i += size) chunks.push(items.slice(i, i + size))
  return chunks
}

export function fibonacci(n: number): number {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2)
}
