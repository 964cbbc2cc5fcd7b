/**
 * Brings a Debian package without installing it: downloaded by apt-get and unpacked under .cache/debian, with what it
 * depends on and the machine lacks. Works for any user. `node scripts/debian.mjs postgresql` prints the folder.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { capture, isMain, main, root, StepFailed } from './run.mjs'

const cache = join(root, '.cache', 'debian')

/** The folder that stands for `/`: its programs lie under usr/bin, its libraries under usr/lib. */
export async function bringPackages(names) {
  const key = createHash('sha256').update(names.join(' ')).digest('hex').slice(0, 10)
  const target = join(cache, `${names[0]}-${key}`)
  if (existsSync(join(target, '.complete'))) return target
  const folders = ['lists/partial', 'archives/partial'].map(name => join(cache, 'apt', name))
  for (const folder of folders) mkdirSync(folder, { recursive: true })
  // apt drops to its own user for downloads when it is root, and that user may not be able to enter the checkout.
  const settings = [
    `Dir::State::Lists=${join(cache, 'apt', 'lists')}`,
    `Dir::Cache=${join(cache, 'apt')}`,
    'APT::Sandbox::User=root',
    'Debug::NoLocking=1',
  ]
  const options = ['-qq', ...settings.flatMap(setting => ['-o', setting])]
  await apt([...options, 'update'])
  const plan = await apt([...options, 'install', '--no-install-recommends', '--print-uris', '-y', ...names])
  const needed = [...plan.matchAll(/^'[^']+' ([^_ ]+)_/gm)].map(match => match[1])
  const partial = `${target}.partial`
  rmSync(partial, { recursive: true, force: true })
  mkdirSync(join(partial, '.archives'), { recursive: true })
  await apt([...options, 'download', ...new Set([...needed, ...names])], join(partial, '.archives'))
  for (const archive of readdirSync(join(partial, '.archives'))) {
    const { code, output } = await capture('dpkg-deb', ['-x', join(partial, '.archives', archive), partial])
    if (code !== 0) throw new StepFailed(`dpkg-deb -x ${archive}: ${output}`)
  }
  rmSync(join(partial, '.archives'), { recursive: true })
  writeFileSync(join(partial, '.complete'), `${names.join(' ')}\n`)
  rmSync(target, { recursive: true, force: true })
  renameSync(partial, target)
  return target
}

async function apt(args, cwd = root) {
  const { code, output } = await capture('apt-get', args, { cwd, env: { ...process.env, LC_ALL: 'C' } })
  if (code !== 0) throw new StepFailed(`apt-get ${args.at(-1)} failed (exit code ${code}):\n${output}`)
  return output
}

if (isMain(import.meta.url)) {
  await main(async () => {
    const names = process.argv.slice(2)
    if (names.length === 0) throw new StepFailed('usage: node scripts/debian.mjs PACKAGE…')
    console.log(await bringPackages(names))
  })
}
