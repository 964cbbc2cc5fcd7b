import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/global.ts'],
    // Sockets, child processes and signals: each file in a process of its own.
    pool: 'forks',
    // Every cluster test runs several servers; more files at once would only wait for each other.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    reporters: process.env['SHARDWAY_TEST_REPORT'] ? ['default', 'json'] : ['default'],
    ...(process.env['SHARDWAY_TEST_REPORT'] ? { outputFile: { json: process.env['SHARDWAY_TEST_REPORT'] } } : {}),
  },
})
