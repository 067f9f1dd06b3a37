// Continues the same prompts greedily with hearth and with llama.cpp, and says how many answers are the same text.
//   node same_text.mjs MODEL PROMPTS.jsonl [--count 100] [--tokens 64] [--gap 0.6] [--hearth PATH]
// A different text is a fault only where hearth's two best logits were not nearly equal (--gap, 0.6): at near ties quantized
// products of different engines rightly take either side.
// PROMPTS.jsonl holds one object a line with a "prompt", whose control tokens count as such.
import {spawnSync} from "node:child_process";
import {readFileSync} from "node:fs";
import {dirname, join, resolve} from "node:path";
import {fileURLToPath} from "node:url";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const here = dirname(fileURLToPath(import.meta.url));
const [modelPath, promptsPath, ...rest] = process.argv.slice(2);
const option = (name, fallback) => {
  const at = rest.indexOf("--" + name);
  return at < 0 ? fallback : rest[at + 1];
};
const count = Number(option("count", 100)), nTokens = Number(option("tokens", 64));
const nearTie = Number(option("gap", 0.6));
const hearthBinary = resolve(option("hearth", join(here, "../../build/hearth")));
if (!modelPath || !promptsPath) {
  console.error("usage: node same_text.mjs MODEL PROMPTS.jsonl [--count N] [--tokens N] [--hearth PATH]");
  process.exit(2);
}

// Every kind of prompt has its share: the file is walked in equal steps.
const lines = readFileSync(promptsPath, "utf8").split("\n").filter(Boolean);
const picked = Array.from({length: Math.min(count, lines.length)}, (_, i) => lines[Math.floor((i * lines.length) / Math.min(count, lines.length))]);
const prompts = picked.map((line) => JSON.parse(line).prompt);

const hearth = (prompt) => {
  const run = spawnSync(hearthBinary, ["run", modelPath, "-f", "-", "-n", nTokens, "--greedy", "--special", "--no-bos", "--json"].map(String), {input: prompt, encoding: "utf8"});
  if (run.status !== 0) throw new Error(run.stderr);
  const made = JSON.parse(run.stdout);
  return {ids: made.ids, promptIds: made.prompt_ids};
};

const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 2});
const model = await llama.loadModel({modelPath});
const context = await model.createContext({contextSize: 512, threads: 2});
const sequence = context.getSequence();

const llamaCpp = async (prompt) => {
  await sequence.clearHistory();
  const ids = [];
  for await (const token of sequence.evaluate(model.tokenize(prompt, true), {temperature: 0, yieldEogToken: true})) {
    ids.push(token);
    if (model.isEogToken(token) || ids.length >= nTokens) break;
  }
  return ids;
};

/** Logit of the best token less that of the second, after these tokens. */
const gapAfter = (ids) => {
  const run = spawnSync(hearthBinary, ["logits", modelPath, "--tokens", ids.join(","), "--top", "2"], {encoding: "utf8"});
  if (run.status !== 0) throw new Error(run.stderr);
  const logits = run.stdout.trim().split("\n").slice(1).map((line) => Number(line.trim().split(/ +/)[3]));
  return logits[0] - logits[1];
};

const text = (ids) => model.detokenize(ids.filter((id) => !model.isEogToken(id)), true);
let same = 0, ties = 0;
for (const prompt of prompts) {
  const made = hearth(prompt), theirIds = await llamaCpp(prompt);
  const [ours, theirs] = [text(made.ids), text(theirIds)];
  if (ours === theirs) {
    ++same;
    continue;
  }
  let at = 0;
  while (at < made.ids.length && made.ids[at] === theirIds[at]) ++at;
  const gap = gapAfter([...made.promptIds, ...made.ids.slice(0, at)]);
  if (gap < nearTie) ++ties;
  console.log(JSON.stringify({prompt: prompt.slice(-80), hearth: ours, "llama.cpp": theirs, token: at, gap}));
}
console.log(`${same} of ${prompts.length} prompts have the same greedy text, ${ties} part at a near tie (gap below ${nearTie})`);
process.exit(same + ties >= 0.9 * prompts.length ? 0 : 1);
