/** Pieces of SQL that several catalog queries share. */

/** Condition on `n` (pg_namespace): not the system's, not temporary. */
export const USER_SCHEMA = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)'`

/**
 * A query that gives the OIDs of the routines an expression tree (pg_node_tree as text) runs: calls, aggregates, windows,
 * and those behind operators. pg_depend would leave out everything that came with initdb.
 */
export function routinesIn(tree: string): string {
  return `
    SELECT m[1]::oid FROM regexp_matches(${tree}, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([1-9][0-9]*)', 'g') AS m
    UNION SELECT o.oprcode::oid FROM regexp_matches(${tree}, ':(?:opno|sortop|eqop) ([1-9][0-9]*)', 'g') AS m
      JOIN pg_operator o ON o.oid = m[1]::oid`
}
