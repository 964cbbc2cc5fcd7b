/** Reads shardway.toml. Every mistake is named at once; nothing of a wrong file is used. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { ConfigError } from './config-error.ts'
import { crossProblems } from './cross-checks.ts'
import { type Materials, readMaterials } from './materials.ts'
import { notYetNotes, notYetProblems } from './not-yet.ts'
import { problemLines } from './problems.ts'
import { type Raw, rawTable } from './raw-view.ts'
import { type Config, configSchema } from './schema.ts'

export interface LoadOptions {
  /** Where password_env looks. */
  readonly environment?: NodeJS.ProcessEnv
}

export interface LoadedConfig {
  readonly config: Config
  /** What the file asks for and this release leaves out, though it serves. */
  readonly notes: readonly string[]
  /** Contents of the files that it names. */
  readonly materials: Materials
}

type ParsedConfig = Omit<LoadedConfig, 'materials'>

/** @throws ConfigError with every mistake of the file. */
export function loadConfig(path: string, options: LoadOptions = {}): Config {
  return loadConfigWithNotes(path, options).config
}

/** @throws ConfigError with every mistake of the file. */
export function loadConfigWithNotes(path: string, options: LoadOptions = {}): LoadedConfig {
  const file = resolve(path)
  const raw = parseToml(path, readText(path, file))
  const parsed = fromRaw(path, raw, dirname(file), options.environment ?? process.env)
  const problems: string[] = []
  const materials = readMaterials(parsed.config, problems)
  if (problems.length > 0) throw new ConfigError(path, problems)
  return { ...parsed, materials }
}

/** As loadConfig, from text: file names are relative to `folder`. */
export function parseConfig(text: string, folder: string, environment: NodeJS.ProcessEnv = process.env): Config {
  return fromRaw('shardway.toml', parseToml('shardway.toml', text), folder, environment).config
}

function fromRaw(path: string, raw: unknown, folder: string, environment: NodeJS.ProcessEnv): ParsedConfig {
  const root = rawTable(raw, '')
  const parsed = configSchema.safeParse(raw)
  const problems = [
    ...(parsed.success ? [] : problemLines(parsed.error.issues, raw, configSchema)),
    ...crossProblems(root),
    ...notYetProblems(root),
  ]
  const secrets = new SecretReader(folder, environment, problems)
  const config = parsed.success ? resolved(parsed.data, folder, secrets) : null
  if (config === null) secrets.probe(root)
  if (config === null || problems.length > 0) throw new ConfigError(path, problems)
  return { config, notes: notYetNotes(root) }
}

function readText(path: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    const reason =
      code === 'ENOENT' ? 'no such file' : code === 'EACCES' ? 'may not be read' : `cannot be read (${code})`
    throw new ConfigError(path, [`${path}: ${reason}`], error)
  }
}

function parseToml(path: string, text: string): unknown {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // The rest of the message quotes the line, which may hold a password.
    const reason = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '')
    throw new ConfigError(path, [`${path}: line ${error.line}, column ${error.column}: ${reason}`])
  }
}

class SecretReader {
  readonly #folder: string
  readonly #environment: NodeJS.ProcessEnv
  readonly #problems: string[]

  constructor(folder: string, environment: NodeJS.ProcessEnv, problems: string[]) {
    this.#folder = folder
    this.#environment = environment
    this.#problems = problems
  }

  /** Finds a secret named by a variable or a file; undefined when neither is given or it cannot be had. */
  read(path: string, variable: string | undefined, file: string | undefined): string | undefined {
    if (variable !== undefined) {
      const value = this.#environment[variable]
      if (value !== undefined && value !== '') return value
      this.#problems.push(`${path}_env: the environment variable ${variable} is ${value === '' ? 'empty' : 'not set'}`)
    }
    if (file === undefined) return undefined
    try {
      const text = readFileSync(resolve(this.#folder, file), 'utf8').replace(/\r?\n$/, '')
      if (text !== '') return text
      this.#problems.push(`${path}_file: "${file}" is empty`)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
      this.#problems.push(`${path}_file: "${file}" cannot be read (${code === 'ENOENT' ? 'no such file' : code})`)
    }
    return undefined
  }

  /** Names what is wrong with the secrets of a file whose shape is wrong as well. */
  probe(root: Raw): void {
    const entries = (name: string): unknown[] => {
      const value = root.value[name]
      return Array.isArray(value) ? value : []
    }
    const look = (path: string, entry: unknown, name: string): void => {
      const { value } = rawTable(entry, path)
      const variable = value[`${name}_env`]
      const file = value[`${name}_file`]
      this.read(
        `${path}.${name}`,
        typeof variable === 'string' && variable !== '' ? variable : undefined,
        typeof file === 'string' && file !== '' ? file : undefined,
      )
    }
    for (const [index, entry] of entries('users').entries()) look(`users[${index}]`, entry, 'password')
    for (const [index, entry] of entries('databases').entries()) {
      look(`databases[${index}]`, entry, 'server_password')
      look(`databases[${index}]`, entry, 'control_password')
    }
  }
}

/** File names made absolute, secrets read. */
function resolved(config: Config, folder: string, secrets: SecretReader): Config {
  const at = (name: string): string => resolve(folder, name)
  const tls = config.listen.tls
  return {
    ...config,
    listen: {
      ...config.listen,
      tls: {
        ...tls,
        ...(tls.cert === undefined ? {} : { cert: at(tls.cert) }),
        ...(tls.key === undefined ? {} : { key: at(tls.key) }),
        ...(tls.ca === undefined ? {} : { ca: at(tls.ca) }),
      },
    },
    state: {
      ...config.state,
      path: at(config.state.path),
      ...(config.state.secret_file === undefined ? {} : { secret_file: at(config.state.secret_file) }),
    },
    auth: { ...config.auth, ...(config.auth.hba_file === undefined ? {} : { hba_file: at(config.auth.hba_file) }) },
    server: {
      tls: { ...config.server.tls, ...(config.server.tls.ca === undefined ? {} : { ca: at(config.server.tls.ca) }) },
    },
    users: config.users.map((user, index) => {
      const secret = secrets.read(`users[${index}].password`, user.password_env, user.password_file)
      return secret === undefined ? user : { ...user, password: [secret] }
    }),
    databases: config.databases.map((database, index) => {
      const path = `databases[${index}]`
      const server = secrets.read(
        `${path}.server_password`,
        database.server_password_env,
        database.server_password_file,
      )
      const control = secrets.read(
        `${path}.control_password`,
        database.control_password_env,
        database.control_password_file,
      )
      return {
        ...database,
        ...(server === undefined ? {} : { server_password: server }),
        ...(control === undefined ? {} : { control_password: control }),
      }
    }),
  }
}
