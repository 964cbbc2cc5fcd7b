/** What is done with primaries and standbys: follow, catch up, promote, copy anew. */
import type { ClusterNode } from './node.ts'
import { supervisor } from './supervisor.ts'
import { waitFor } from './wait.ts'

/** Waits until the standby has replayed all that the primary has written by now. */
export async function waitForReplay(primary: ClusterNode, standby: ClusterNode, timeoutMs = 30_000): Promise<void> {
  // A committed record of its own: after a WAL switch the insert position alone lies where no record is yet, and an
  // asynchronous commit before it would not have been sent.
  const { rows } = await primary.server.query(`select pg_logical_emit_message(true, 'shardway-kit', '')::text as lsn`)
  const { lsn } = rows[0] as { lsn: string }
  const client = await standby.server.connect()
  try {
    await waitFor(
      `${standby.name} to replay ${lsn} of ${primary.name}`,
      async () => {
        const answer = await client.query('select pg_last_wal_replay_lsn() >= $1::pg_lsn as done', [lsn])
        return (answer.rows[0] as { done: boolean | null }).done === true
      },
      { timeoutMs },
    )
  } finally {
    await client.end()
  }
}

export async function promote(node: ClusterNode): Promise<void> {
  await node.server.query('select pg_promote(true, 60)')
  await waitFor(`${node.name} to be a primary`, () => node.server.isPrimary())
}

/** Lets a running standby stream from another primary. */
export async function follow(standby: ClusterNode, primary: ClusterNode): Promise<void> {
  const client = await standby.server.connect()
  try {
    await client.query(
      `alter system set primary_conninfo = '${primary.conninfoFor(standby.name).replaceAll("'", "''")}'`,
    )
    await client.query('select pg_reload_conf()')
  } finally {
    await client.end()
  }
}

/** What pg_basebackup leaves out too: state of the source's process, its slots, its WAL. */
const LEFT_EMPTY = [
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]
const LEFT_OUT = [
  'postmaster.pid',
  'postmaster.opts',
  'standby.signal',
  'recovery.signal',
  'backup_label',
  'tablespace_map',
]

/**
 * Replaces the node's data by an online copy of a running server, and starts it as its standby. A copy of files between
 * pg_backup_start and pg_backup_stop: it needs no pg_basebackup, which the embedded binaries lack. The WAL of the time
 * of the copy comes by streaming; `wal_keep_size` holds it there.
 */
export async function rebuild(node: ClusterNode, source: ClusterNode): Promise<void> {
  await node.server.kill()
  await node.server.removeData()
  const { runAs } = node.server.binaries
  const client = await source.server.connect()
  try {
    await client.query(`select pg_backup_start('rebuild of ${node.name}', true)`)
    await supervisor().run('/bin/sh', {
      args: ['-c', COPY, 'copy', source.server.dataFolder, node.server.dataFolder],
      runAs,
    })
    const { rows } = await client.query('select labelfile from pg_backup_stop(false)')
    const { labelfile } = rows[0] as { labelfile: string }
    await supervisor().run('/bin/sh', {
      args: ['-c', 'umask 077; cat > "$1/backup_label"', 'label', node.server.dataFolder],
      input: labelfile,
      runAs,
    })
  } finally {
    await client.end()
  }
  node.server.becomeStandby(source.conninfoFor(node.name))
  await node.start()
}

// Files may vanish while tar reads them (1: "file changed as we read it"); pg_control comes last, as in pg_basebackup.
const COPY = `
set -u
umask 077
mkdir -p "$2"
cd "$1" || exit 1
tar -cf - --warning=no-file-changed --warning=no-file-removed ${LEFT_EMPTY.map(name => `--exclude='./${name}/*'`).join(' ')} \
  ${LEFT_OUT.map(name => `--exclude=./${name}`).join(' ')} --exclude=./global/pg_control --exclude='pgsql_tmp*' \
  --exclude=pg_internal.init . > "$2.tar"
status=$?
[ $status -le 1 ] || exit $status
tar -xf "$2.tar" -C "$2" || exit 1
rm "$2.tar"
mkdir -p "$2/pg_wal/archive_status" "$2/pg_wal/summaries"
cp global/pg_control "$2/global/pg_control"
chmod 700 "$2"
`
