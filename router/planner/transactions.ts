import type { Node, TransactionStmt } from '@pgsql/types'
import type { SessionCommand } from '../plan.ts'
import type { Analysis } from './analysis.ts'
import { firm } from './problems.ts'

function optionValue(options: readonly Node[] | undefined, name: string): string | number | null {
  for (const node of options ?? []) {
    if (!('DefElem' in node) || node.DefElem.defname !== name) continue
    const { arg } = node.DefElem
    if (arg === undefined || !('A_Const' in arg)) return null
    return arg.A_Const.sval?.sval ?? arg.A_Const.ival?.ival ?? 0
  }
  return null
}

export function planTransaction(a: Analysis, statement: TransactionStmt): SessionCommand | null {
  a.exactOnly = true
  switch (statement.kind) {
    case 'TRANS_STMT_BEGIN':
    case 'TRANS_STMT_START': {
      const readOnly = optionValue(statement.options, 'transaction_read_only')
      const isolation = optionValue(statement.options, 'transaction_isolation')
      return {
        kind: 'begin',
        readOnly: readOnly === null ? null : readOnly !== 0,
        isolation: isolation === null ? null : String(isolation),
      }
    }
    case 'TRANS_STMT_COMMIT':
      // A chained block begins at once: temporary tables of the last one may be gone, or there again.
      if (statement.chain === true) a.touchesPins = true
      return { kind: 'commit', chain: statement.chain === true }
    case 'TRANS_STMT_ROLLBACK':
      if (statement.chain === true) a.touchesPins = true
      return { kind: 'rollback', chain: statement.chain === true }
    case 'TRANS_STMT_ROLLBACK_TO':
      a.touchesPins = true
      return { kind: 'rollback-to', savepoint: statement.savepoint_name ?? '' }
    case 'TRANS_STMT_SAVEPOINT':
      return { kind: 'savepoint', savepoint: statement.savepoint_name ?? '' }
    case 'TRANS_STMT_RELEASE':
      return { kind: 'release', savepoint: statement.savepoint_name ?? '' }
    default: {
      a.writes = true
      a.useAnything(true)
      const hint = 'Two-phase commit is the proxy’s own business over several shards. Use COMMIT or ROLLBACK.'
      a.problem(firm('PREPARE TRANSACTION, COMMIT PREPARED or ROLLBACK PREPARED', hint))
      return null
    }
  }
}
