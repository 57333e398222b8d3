// Bundles the scripts into the gateway's static files, under names made of their
// content, and writes which entry became which file into manifest.json.
import { build } from "esbuild";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../services/gateway/opseer_gateway/pages/static/build");

const result = await build({
  absWorkingDir: here,
  entryPoints: ["src/app.js", "src/charts.js"],
  outdir: out,
  entryNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "eof",
  define: { "process.env.NODE_ENV": '"production"', __DEV__: "false" },
  metafile: true,
});

const manifest = {};
for (const [path, built] of Object.entries(result.metafile.outputs)) {
  if (built.entryPoint) manifest[basename(built.entryPoint)] = basename(path);
}
mkdirSync(out, { recursive: true });
writeFileSync(join(out, "manifest.json"), JSON.stringify(manifest, null, 1) + "\n");
// Files of earlier builds go last: a gateway that starts meanwhile finds its own.
const current = new Set([...Object.values(manifest), "manifest.json"]);
for (const name of readdirSync(out)) {
  if (!current.has(name)) rmSync(join(out, name));
}
