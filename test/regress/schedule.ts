/** Postgres's parallel_schedule: groups of test files, in their order. */

/** File names without suffix. Inside a group the order is free, so one after another as they stand is too. */
export function readSchedule(text: string): readonly string[] {
  const names: string[] = []
  for (const line of text.split('\n')) {
    const group = /^test:\s*(.*)$/.exec(line)?.[1]
    if (group !== undefined) names.push(...group.split(/\s+/).filter(Boolean))
  }
  return names
}
