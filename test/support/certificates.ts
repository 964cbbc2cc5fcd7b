/** The tests' certificates; `certificates/make.sh` says what each is. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../../src/cluster/project-root.ts'

export interface Certificate {
  /** PEM texts, and where they lie. */
  readonly cert: string
  readonly key: string
  readonly certPath: string
  readonly keyPath: string
}

export function certificate(name: string): Certificate {
  const folder = join(projectRoot(), 'test', 'support', 'certificates')
  const [certPath, keyPath] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)]
  return { certPath, keyPath, cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8') }
}
