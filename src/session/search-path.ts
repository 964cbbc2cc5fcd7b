/** The value of search_path as current_setting() prints it → schema names. */
export function parseSearchPath(text: string, user: string): readonly string[] {
  const names: string[] = []
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^,"]+?))\s*(?:,|$)/gy
  for (let match = pattern.exec(text); match !== null && match[0] !== ''; match = pattern.exec(text)) {
    const name = match[1]?.replaceAll('""', '"') ?? (match[2] ?? '').toLowerCase()
    names.push(name === '$user' ? user : name)
  }
  return names
}
