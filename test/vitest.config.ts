import { defineConfig } from 'vitest/config'

/** No test is about time: what is waited for may take long on a loaded machine, ms. */
const PATIENCE = 180_000
const poll = { timeout: PATIENCE, interval: 100 }

/** `unit` needs nothing but Node; `system` needs a Dagger engine, which `npm test` starts. */
export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{steps,pipelines,api,connectors}/**/*.test.ts', 'test/unit/**/*.test.ts'],
          testTimeout: PATIENCE,
          hookTimeout: PATIENCE,
          expect: { poll },
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 900_000,
          expect: { poll },
          // One engine on two cores: files run one after another.
          poolOptions: { forks: { singleFork: true } },
        },
      },
    ],
  },
})
