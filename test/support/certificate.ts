/** A certificate for this machine that only its own authority, itself, has signed. Made without a program of the host's. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate } from 'selfsigned'

export interface CertificateFiles {
  readonly key: string
  readonly cert: string
  /** Redis's settings for a port that speaks TLS with it. */
  readonly settings: readonly string[]
}

/** Writes `key.pem` and `cert.pem` into the directory. */
export async function makeCertificate(directory: string): Promise<CertificateFiles> {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  writeFileSync(key, made.private, { mode: 0o600 })
  writeFileSync(cert, made.cert)
  const files = { 'tls-key-file': key, 'tls-cert-file': cert, 'tls-ca-cert-file': cert, 'tls-auth-clients': 'no' }
  return { key, cert, settings: Object.entries(files).flatMap(([name, value]) => [`--${name}`, value]) }
}
