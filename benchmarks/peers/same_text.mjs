// Continues the same prompts greedily with hearth and with llama.cpp, and says how many answers are the same text.
//   node same_text.mjs MODEL PROMPTS.jsonl [--count 100] [--tokens 64] [--hearth PATH]
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
  return JSON.parse(run.stdout).ids;
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

const text = (ids) => model.detokenize(ids.filter((id) => !model.isEogToken(id)), true);
let same = 0;
for (const prompt of prompts) {
  const [ours, theirs] = [text(hearth(prompt)), text(await llamaCpp(prompt))];
  if (ours === theirs) {
    ++same;
  } else {
    console.log(JSON.stringify({prompt: prompt.slice(-80), hearth: ours, "llama.cpp": theirs}));
  }
}
console.log(`${same} of ${prompts.length} prompts have the same greedy text`);
process.exit(same >= 0.9 * prompts.length ? 0 : 1);
