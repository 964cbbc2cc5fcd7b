/** One initialised data folder per version, copied for each node: initdb takes a second, a copy a tenth of it. */
import { createHash, randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  mkdtempSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Binaries, binariesEnvironment } from './binaries.ts'
import { cacheFolder, makePrivateFolder } from './run-as.ts'
import { plainEnvironment, supervisor } from './supervisor.ts'

/** Changes when the statements below do: older templates are left aside. */
const FORMAT = 2

export const SUPERUSER = 'postgres'
export const REPLICATION_USER = 'replicator'
export const APP = 'app'

export interface Template {
  readonly dataFolder: string
  /** Random, made with the template, readable by its owner only. The `app` role's password is `app`. */
  readonly superuserPassword: string
  readonly replicationPassword: string
}

interface Secrets {
  readonly superuserPassword: string
  readonly replicationPassword: string
}

export async function openTemplate(binaries: Binaries): Promise<Template> {
  const stamp = statSync(join(binaries.bin, 'postgres')).mtimeMs
  const identity = [FORMAT, binaries.bin, binaries.version, stamp, binaries.runAs?.uid ?? process.getuid?.() ?? 0]
  const key = createHash('sha256').update(identity.join('\0')).digest('hex').slice(0, 12)
  const parent = join(cacheFolder(binaries.runAs), 'templates')
  makePrivateFolder(parent, binaries.runAs)
  const folder = join(parent, `${binaries.version}-${key}`)
  if (!existsSync(folder)) await makeTemplate(binaries, parent, folder)
  const secrets = JSON.parse(readFileSync(join(folder, 'secrets.json'), 'utf8')) as Secrets
  return { ...secrets, dataFolder: join(folder, 'data') }
}

async function makeTemplate(binaries: Binaries, parent: string, folder: string): Promise<void> {
  const partial = mkdtempSync(join(parent, 'partial-'))
  makePrivateFolder(partial, binaries.runAs)
  supervisor().discardAtEnd(partial)
  const secrets: Secrets = {
    superuserPassword: randomBytes(18).toString('base64url'),
    replicationPassword: randomBytes(18).toString('base64url'),
  }
  const owned = (name: string, content: string): string => {
    const path = join(partial, name)
    writeFileSync(path, content, { mode: 0o600 })
    chmodSync(path, 0o600)
    if (binaries.runAs !== null) chownSync(path, binaries.runAs.uid, binaries.runAs.gid)
    return path
  }
  owned('secrets.json', JSON.stringify(secrets))
  const passwordFile = owned('password', `${secrets.superuserPassword}\n`)
  const dataFolder = join(partial, 'data')
  const shared = {
    runAs: binaries.runAs,
    env: { ...plainEnvironment(), ...binariesEnvironment(binaries) },
  }
  await supervisor().run(join(binaries.bin, 'initdb'), {
    ...shared,
    args: `-U ${SUPERUSER} --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync --no-instructions`
      .split(' ')
      .concat('-D', dataFolder, `--pwfile=${passwordFile}`),
  })
  // Single-user mode: nobody can connect before the passwords are set.
  await supervisor().run(join(binaries.bin, 'postgres'), {
    ...shared,
    args: ['--single', '-j', '-D', dataFolder, '-c', 'fsync=off', 'postgres'],
    input: [
      `CREATE ROLE ${REPLICATION_USER} LOGIN REPLICATION PASSWORD '${secrets.replicationPassword}'`,
      `CREATE ROLE ${APP} LOGIN PASSWORD '${APP}'`,
      `CREATE DATABASE ${APP} OWNER ${APP}`,
      '',
    ].join(';\n\n'),
  })
  try {
    renameSync(partial, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
    // Another process was faster; its passwords are the ones that count.
    await supervisor().discard(partial)
  }
}

/** Copies as the server's user, so that all files are its own. */
export async function copyTemplate(binaries: Binaries, template: Template, dataFolder: string): Promise<void> {
  const reflink = process.platform === 'linux' ? ['--reflink=auto'] : []
  await supervisor().run('cp', { args: ['-a', ...reflink, template.dataFolder, dataFolder], runAs: binaries.runAs })
}
