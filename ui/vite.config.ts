// Build settings of the web app.
//
// The server embeds `dist/` and serves `/ui-assets/*` as immutable files, so every asset carries its
// hash in its name and nothing is inlined as a data: URI (the content security policy forbids those).
import { defineConfig } from "vite";
import solid from "vite-plugin-solid";
import { slimUplot } from "./scripts/slim-uplot.ts";

const mock = process.env.MOCK_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [solid(), slimUplot()],
  build: {
    assetsDir: "ui-assets",
    assetsInlineLimit: 0,
    target: "es2022",
    cssCodeSplit: true,
    modulePreload: { polyfill: false },
    manifest: true,
    rolldownOptions: {
      output: {
        // Few chunks instead of many small ones: together they compress better, and nearly every page needs most of the core.
        advancedChunks: {
          groups: [
            { name: "core", priority: 3, test: /node_modules\/solid-js|src\/(lib\/(colors|frames|legend|list|mappings|order|reduce|time|units|variables)\.ts|app\/|api\/(http|base|grafana)|chart\/Sparkline|ui\/(Icon|States|PageHeader|TimePicker|useTimeRange|usePolled))/ },
            { name: "chart", priority: 2, test: /node_modules\/uplot|src\/chart\// },
          ],
        },
      },
    },
  },
  server: {
    proxy: Object.fromEntries(["/api", "/login", "/logout"].map((p) => [p, { target: mock, ws: true, bypass: viewOnly }])),
  },
});

// GET /login is a page of the app, POST /login is the server's.
function viewOnly(req: { method?: string; url?: string }) {
  return req.method === "GET" && req.url?.startsWith("/login") ? "/index.html" : undefined;
}
