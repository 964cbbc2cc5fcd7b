/**
 * Functions of pg_catalog whose effects their volatility does not tell: what they do to the session, whose data they need,
 * and what would differ on a standby.
 */
export interface BuiltinEffects {
  readonly writes: boolean
  /** May not run on a standby, or answers otherwise there. */
  readonly unsafe: boolean
  /** What it works on lives on default_shard. */
  readonly needsDefault: boolean
  /** There is one of its kind over all shards, on default_shard: no hint can move it. */
  readonly everywhereOne: boolean
  /** Leaves something behind in the session. */
  readonly pin: string | null
  readonly touchesPins: boolean
  /** Runs SQL that is not in the text. */
  readonly dynamic: boolean
  /** Not over several shards in this release. */
  readonly refused: boolean
  /** Heard by those who listen on any shard, and perhaps by others on default_shard. */
  readonly notifies: boolean
}

const NOTHING: BuiltinEffects = {
  writes: false,
  unsafe: false,
  needsDefault: false,
  everywhereOne: false,
  pin: null,
  touchesPins: false,
  dynamic: false,
  refused: false,
  notifies: false,
}

const UNSAFE: BuiltinEffects = { ...NOTHING, unsafe: true }
const WRITES: BuiltinEffects = { ...UNSAFE, writes: true }
const ON_DEFAULT: BuiltinEffects = { ...WRITES, needsDefault: true }
const ONE: BuiltinEffects = { ...ON_DEFAULT, everywhereOne: true }
const ADVISORY: BuiltinEffects = { ...ONE, pin: 'advisory lock' }
/** May end what a pin stands for. */
const UNLOCK: BuiltinEffects = { ...ONE, touchesPins: true }
const DYNAMIC: BuiltinEffects = { ...UNSAFE, dynamic: true }
const SERVER: BuiltinEffects = { ...UNSAFE, needsDefault: true }

const BY_NAME: ReadonlyMap<string, BuiltinEffects> = new Map([
  ['set_config', { ...WRITES, pin: 'set_config', refused: true }],
  ['pg_advisory_lock', ADVISORY],
  ['pg_advisory_lock_shared', ADVISORY],
  ['pg_try_advisory_lock', ADVISORY],
  ['pg_try_advisory_lock_shared', ADVISORY],
  ['pg_advisory_unlock', UNLOCK],
  ['pg_advisory_unlock_shared', UNLOCK],
  ['pg_advisory_unlock_all', UNLOCK],
  ['pg_advisory_xact_lock', ONE],
  ['pg_advisory_xact_lock_shared', ONE],
  ['pg_try_advisory_xact_lock', ONE],
  ['pg_try_advisory_xact_lock_shared', ONE],
  ['nextval', ON_DEFAULT],
  ['setval', ON_DEFAULT],
  ['currval', ON_DEFAULT],
  ['lastval', ON_DEFAULT],
  ['txid_current', { ...WRITES, needsDefault: true }],
  ['pg_current_xact_id', { ...WRITES, needsDefault: true }],
  ['txid_current_if_assigned', SERVER],
  ['pg_current_xact_id_if_assigned', SERVER],
  ['txid_current_snapshot', SERVER],
  ['txid_status', SERVER],
  ['pg_export_snapshot', { ...WRITES, refused: true }],
  ['pg_notify', { ...WRITES, notifies: true }],
  ['pg_listening_channels', { ...SERVER, refused: true }],
  ['loread', ON_DEFAULT],
  ['lowrite', ON_DEFAULT],
  ['ts_stat', DYNAMIC],
  ['ts_rewrite', DYNAMIC],
  ['query_to_xml', DYNAMIC],
  ['query_to_xmlschema', DYNAMIC],
  ['query_to_xml_and_xmlschema', DYNAMIC],
  ['cursor_to_xml', DYNAMIC],
  ['cursor_to_xmlschema', DYNAMIC],
  ['table_to_xml', DYNAMIC],
  ['table_to_xmlschema', DYNAMIC],
  ['table_to_xml_and_xmlschema', DYNAMIC],
  ['schema_to_xml', DYNAMIC],
  ['schema_to_xmlschema', DYNAMIC],
  ['schema_to_xml_and_xmlschema', DYNAMIC],
  ['database_to_xml', DYNAMIC],
  ['database_to_xmlschema', DYNAMIC],
  ['database_to_xml_and_xmlschema', DYNAMIC],
  ['current_setting', UNSAFE],
  ['inet_server_addr', UNSAFE],
  ['inet_server_port', UNSAFE],
  ['inet_client_addr', UNSAFE],
  ['inet_client_port', UNSAFE],
  ['to_regclass', SERVER],
  ['to_regproc', SERVER],
  ['to_regprocedure', SERVER],
  ['to_regtype', SERVER],
  ['to_regnamespace', SERVER],
  ['to_regrole', SERVER],
  ['to_regoper', SERVER],
  ['row_security_active', SERVER],
  ['obj_description', SERVER],
  ['col_description', SERVER],
  ['shobj_description', SERVER],
  ['format_type', SERVER],
  ['current_schemas', SERVER],
])

/** pg_… functions that compute from their arguments and settings alone. */
const HARMLESS = new Set([
  'pg_typeof',
  'pg_column_size',
  'pg_size_pretty',
  'pg_size_bytes',
  'pg_client_encoding',
  'pg_char_to_encoding',
  'pg_encoding_to_char',
  'pg_input_is_valid',
  'pg_input_error_info',
  'pg_my_temp_schema',
  'pg_sleep',
  'pg_sleep_for',
  'pg_sleep_until',
  'pg_backend_pid',
  'pg_jit_available',
  'pg_postmaster_start_time',
  'pg_conf_load_time',
])

/** Effects of a pg_catalog function. `volatile` is what the catalog says of its name. */
export function builtinEffects(name: string, volatile: boolean): BuiltinEffects {
  const known = BY_NAME.get(name)
  if (known !== undefined) return known
  if (name.startsWith('lo_')) return ON_DEFAULT
  if (name.startsWith('has_') && name.endsWith('_privilege')) return SERVER
  if (HARMLESS.has(name)) return volatile || name !== 'pg_typeof' ? UNSAFE : NOTHING
  if (name.startsWith('pg_')) return volatile ? { ...WRITES, needsDefault: true } : SERVER
  return volatile ? UNSAFE : NOTHING
}

/** Types whose input looks names up in the catalog: their values are OIDs of one server. */
export const CATALOG_TYPES: ReadonlySet<string> = new Set([
  'regclass',
  'regproc',
  'regprocedure',
  'regoper',
  'regoperator',
  'regtype',
  'regrole',
  'regnamespace',
  'regconfig',
  'regdictionary',
])

const RUNS_SQL =
  /^(dblink|postgres_fdw|crosstab|connectby|xpath_table|check_primary_key|check_foreign_key|cron|schedule)/

/** Functions in C that extensions bring and that reach tables or other servers by themselves. */
export function extensionRunsSql(name: string): boolean {
  return RUNS_SQL.test(name)
}
