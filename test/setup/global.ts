import { findBinaries } from '../../src/cluster/binaries.ts'
import { closeSupervisor } from '../../src/cluster/supervisor.ts'
import { openTemplate } from '../../src/cluster/template.ts'

/** Finds Postgres and makes the template once, before test files that run side by side would each make it. */
export async function setup(): Promise<void> {
  const binaries = findBinaries()
  await openTemplate(binaries)
  const by = binaries.runAs === null ? '' : `, run as ${binaries.runAs.name}`
  console.log(`Postgres ${binaries.version} (${binaries.origin}: ${binaries.bin})${by}`)
}

export async function teardown(): Promise<void> {
  await closeSupervisor()
}
