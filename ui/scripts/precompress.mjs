// Runs after `vite build`: writes `.br` and `.gz` beside every asset and holds the first-load budget.
//
// First load = the entry script with everything it imports statically, plus the code of the page that
// opens first. A person usually lands on home or on a dashboard, so both are measured and the larger one counts.
import { brotliCompressSync, gzipSync, constants } from "node:zlib";
import { readFileSync, readdirSync, statSync, writeFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BUDGET_BYTES = 60 * 1024;
const dist = fileURLToPath(new URL("../dist", import.meta.url));
const landing = {
  home: ["src/pages/Home.tsx"],
  "a dashboard": ["src/dashboard/DashboardPage.tsx"],
};
const compressible = /\.(js|css|svg|json|map|txt)$/;

const brotli = (bytes) =>
  brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });

function walk(dir) {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? walk(path) : [path];
  });
}

const manifest = JSON.parse(readFileSync(join(dist, ".vite/manifest.json"), "utf8"));
const compressed = new Map();
for (const path of walk(dist)) {
  // index.html is left alone: the server writes the service name into it, so a compressed copy would be stale.
  if (!compressible.test(path) || path.includes(".vite")) continue;
  const bytes = readFileSync(path);
  const br = brotli(bytes);
  writeFileSync(path + ".br", br);
  writeFileSync(path + ".gz", gzipSync(bytes, { level: 9 }));
  compressed.set(path.slice(dist.length + 1), br.length);
}

function staticImports(key, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  for (const child of manifest[key]?.imports ?? []) staticImports(child, seen);
  return seen;
}

function size(keys) {
  const files = new Set([...keys].map((k) => manifest[k].file));
  return [...files].reduce((sum, file) => sum + (compressed.get(file) ?? 0), 0);
}

const kb = (n) => (n / 1024).toFixed(1) + " KB";
const entry = staticImports("index.html");
console.log(`first load, shell alone: ${kb(size(entry))} of JavaScript (brotli)`);
let worst = size(entry);
for (const [name, pages] of Object.entries(landing)) {
  const loaded = new Set(entry);
  for (const page of pages) {
    if (!manifest[page]) throw new Error(`${page} is not a chunk of its own any more; update scripts/precompress.mjs`);
    staticImports(page, loaded);
  }
  const total = size(loaded);
  console.log(`first load, ${name}: ${kb(total)}`);
  worst = Math.max(worst, total);
}
rmSync(join(dist, ".vite"), { recursive: true });
if (worst > BUDGET_BYTES) {
  console.error(`first load is ${kb(worst)}, the budget is ${kb(BUDGET_BYTES)}`);
  process.exit(1);
}
