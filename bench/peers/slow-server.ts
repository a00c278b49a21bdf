/** An HTTP server that answers after 50 ms; it says where it is, and ends with its standard input. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const server = createServer((_request, response) => {
  setTimeout(() => response.end('answered\n'), 50)
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', 2048, () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}/` })}\n`)
})
process.stdin.resume().on('end', () => process.exit())
