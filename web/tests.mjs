// Bundles widget/tests/*.test.ts and runs them with Node's own runner.

import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const tests = (await readdir(join(HERE, "widget/tests"))).filter((file) => file.endsWith(".test.ts") || file.endsWith(".test.tsx"));
const outdir = await mkdtemp(join(tmpdir(), "embark-web-"));
try {
  await build({
    absWorkingDir: HERE,
    entryPoints: tests.map((file) => `widget/tests/${file}`),
    bundle: true,
    outdir,
    outExtension: { ".js": ".mjs" },
    format: "esm",
    platform: "node",
    target: "node20",
    jsx: "automatic",
    jsxImportSource: "preact",
    loader: { ".css": "text" },
    logLevel: "warning",
  });
  const files = tests.map((file) => join(outdir, file.replace(/\.tsx?$/, ".mjs")));
  process.exitCode = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" }).status ?? 1;
} finally {
  await rm(outdir, { recursive: true });
}
