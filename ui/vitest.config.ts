// Tests cover the pure logic, so they run in plain Node; the pages themselves are tested in Chromium (e2e/run.mjs).
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { environment: "node", include: ["src/**/*.test.ts"], setupFiles: ["dev/test-globals.ts"] },
});
