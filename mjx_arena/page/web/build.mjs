// Builds three.js: the parts of three.js that three.entry.js names, with their licence at the top.
import { copyFileSync, readFileSync } from "node:fs";
import { build } from "esbuild";

const { version } = JSON.parse(readFileSync("node_modules/three/package.json"));
const licence = readFileSync("node_modules/three/LICENSE", "utf8");
copyFileSync("node_modules/three/LICENSE", "LICENSE.three");
await build({
  entryPoints: ["three.entry.js"],
  outfile: "three.js",
  banner: { js: `/* three.js ${version}\n\n${licence}*/` },
  bundle: true,
  minify: true,
  format: "iife",
  globalName: "THREE",
  target: "es2022",
  legalComments: "none", // the banner says it all
});
