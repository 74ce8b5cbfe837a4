import { defineConfig } from 'vitest/config'

/** `unit` needs nothing but Node; `system` needs a Dagger engine, which `npm test` starts. */
export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{steps,pipelines,api,connectors}/**/*.test.ts', 'test/unit/**/*.test.ts'],
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 900_000,
          // One engine on two cores: files run one after another.
          poolOptions: { forks: { singleFork: true } },
        },
      },
    ],
  },
})
