// Sources -> api/static/widget. File names hold a hash of their content; embark.js is the stable one.
//
//   node build.mjs          writes
//   node build.mjs --check  exits 1 where what is committed differs

import { readdir, readFile, rm, writeFile, mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build, transform } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const OUT = join(HERE, "..", "api", "static", "widget");
const KB = 1000;
const BUDGETS = { loader: 2 * KB, core: 28 * KB, all: 40 * KB };

const minified = {
  name: "minified styles",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const { code } = await transform(source, { loader: "css", minify: true, target: "es2022" });
      return { contents: code.trim(), loader: "text" };
    });
  },
};
const common = {
  absWorkingDir: HERE,
  bundle: true,
  minify: true,
  legalComments: "none",
  target: "es2022",
  charset: "utf8",
  write: false,
  metafile: true,
  logLevel: "warning",
};

const core = await build({
  ...common,
  entryPoints: { core: "widget/src/queue.ts" },
  format: "esm",
  splitting: true,
  outdir: OUT,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  jsx: "automatic",
  jsxImportSource: "preact",
  plugins: [minified],
});
const [name] = Object.entries(core.metafile.outputs).find(([, one]) => one.entryPoint === "widget/src/queue.ts");
const loader = await build({
  ...common,
  entryPoints: { embark: "widget/src/loader.ts" },
  format: "iife",
  outdir: OUT,
  define: { CORE: JSON.stringify(basename(name)) },
});

const files = new Map([...core.outputFiles, ...loader.outputFiles].map((file) => [basename(file.path), file.contents]));
const sizes = Object.fromEntries([...files].map(([file, bytes]) => [file, gzipSync(bytes, { level: 9 }).length]));
const first = Object.entries(core.metafile.outputs)
  .filter(([file, one]) => basename(file) === basename(name) || isNeeded(one, file))
  .map(([file]) => basename(file));
const size = (names) => names.reduce((sum, file) => sum + sizes[file], 0);
const found = { loader: size(["embark.js"]), core: size(first), all: size([...files.keys()].filter((file) => !isLocale(file))) };
for (const [part, most] of Object.entries(BUDGETS)) {
  console.log(`${part.padEnd(7)} ${String(found[part]).padStart(6)} of ${most} bytes, gzip -9`);
  if (found[part] > most) process.exitCode = 1;
}

if (process.argv.includes("--check")) await compare();
else await write();

/** What the core imports before it runs. */
function isNeeded(_output, file) {
  const imports = core.metafile.outputs[name].imports;
  return imports.some((one) => one.kind === "import-statement" && one.path === file);
}

function isLocale(file) {
  return /^[a-z]{2}(-[A-Z]{2})?-[A-Z0-9]{8}\.js$/.test(file);
}

async function compare() {
  const there = await readdir(OUT).catch(() => []);
  const differs = new Set(there.filter((file) => !files.has(file)));
  for (const [file, bytes] of files) {
    const old = await readFile(join(OUT, file)).catch(() => null);
    if (old === null || !old.equals(Buffer.from(bytes))) differs.add(file);
  }
  if (differs.size === 0) return;
  console.error(`not what is committed: ${[...differs].join(", ")}; run npm run build in web/`);
  process.exitCode = 1;
}

async function write() {
  await rm(OUT, { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  for (const [file, bytes] of files) await writeFile(join(OUT, file), bytes);
}
