// Measures XGrammar, as npm carries it (WebAssembly), on the cases of hearth_bench_grammar --cases FILE.
//   node xgrammar.mjs FILE [most schemas]
// Properties that a schema does not name are allowed, as JSON Schema has it; texts have no blanks.
import {createReadStream, readFileSync} from "node:fs";
import {createInterface} from "node:readline";
import {createRequire} from "node:module";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";

// The package says that it is an ES module, and is a script that sets `exports`.
const require = createRequire(import.meta.url), path = join(dirname(fileURLToPath(import.meta.url)),
  "node_modules/@mlc-ai/web-xgrammar/lib/index.js");
const exported = {};
new Function("exports", "module", "require", "__filename", "__dirname", readFileSync(path, "utf8"))(
  exported, {exports: exported}, require, path, dirname(path));
const {GrammarCompiler, GrammarMatcher, TokenizerInfo} = exported;
const [file, most = "Infinity"] = process.argv.slice(2);
const lines = createInterface({input: createReadStream(file), crlfDelay: Infinity})[Symbol.asyncIterator]();
const {tokens} = JSON.parse((await lines.next()).value);
const info = await TokenizerInfo.createTokenizerInfo(tokens, "byte_level", false, tokens.length, [128001, 128009]);
const compiler = await GrammarCompiler.createGrammarCompiler(info, false);

const masks = [], firsts = [], counts = {schemas: 0, passing: 0, compile: 0, validation: 0, invalidation: 0};
const us = (start) => 1000 * (performance.now() - start);

/** Whether the text is taken to its end. */
const takes = async (matcher, ids) => {
  for (const id of ids) {
    const start = performance.now();
    const mask = await matcher.getNextTokenBitmask();
    masks.push(us(start));
    if (((mask[id >> 5] >>> (id & 31)) & 1) === 0 || !matcher.acceptToken(id)) return false;
  }
  const mask = await matcher.getNextTokenBitmask();
  return ((mask[128001 >> 5] >>> (128001 & 31)) & 1) === 1;
};

for (let next = await lines.next(); !next.done && counts.schemas < Number(most); next = await lines.next()) {
  const {schema, tests} = JSON.parse(next.value);
  ++counts.schemas;
  let outcome = "passing", compiled, matcher;
  try {
    const start = performance.now();
    compiled = await compiler.compileJSONSchema(schema, false, -1, [",", ":"], false);
    matcher = await GrammarMatcher.createGrammarMatcher(compiled, undefined, false);
    await matcher.getNextTokenBitmask();
    firsts.push(us(start));
  } catch {
    ++counts.compile;
    continue;
  }
  for (const {valid, ids} of tests) {
    matcher.reset();
    const taken = await takes(matcher, ids);
    if (taken && !valid) outcome = "invalidation";
    if (!taken && valid && outcome === "passing") outcome = "validation";
  }
  ++counts[outcome];
  matcher.dispose();
  compiled.dispose();
}

const summary = (times) => {
  const sorted = times.sort((a, b) => a - b), at = (part) => sorted[Math.floor(part * (sorted.length - 1))];
  const mean = sorted.reduce((sum, t) => sum + t, 0) / sorted.length;
  return {n: sorted.length, mean: Math.round(mean), p50: Math.round(at(0.5)), p99: Math.round(at(0.99)), worst: Math.round(at(1))};
};
console.log(JSON.stringify({engine: "xgrammar", ...counts, mask_us: summary(masks), first_mask_us: summary(firsts)}));
