// Quantizes a file to every type with hearth, lets llama.cpp read what came out, and compares the predictions of both.
//   node quantized_files.mjs F16.gguf [--imatrix FILE] [--tokens 48] [--hearth PATH]
// One line a type: the file's size; the error of llama.cpp's logits and of hearth's (relative mean square, both less their mean)
// against hearth's with exact products: two ways of rounding activations to 8 bits; how often the best token is the same.
import {spawnSync} from "node:child_process";
import {mkdtempSync, readFileSync, rmSync, statSync} from "node:fs";
import {tmpdir} from "node:os";
import {dirname, join, resolve} from "node:path";
import {fileURLToPath} from "node:url";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const here = dirname(fileURLToPath(import.meta.url));
const [source, ...rest] = process.argv.slice(2);
const option = (name, fallback) => {
  const at = rest.indexOf("--" + name);
  return at < 0 ? fallback : rest[at + 1];
};
const hearthBinary = resolve(option("hearth", join(here, "../../build/hearth")));
const nTokens = Number(option("tokens", 48)), imatrix = option("imatrix");
if (!source) {
  console.error("usage: node quantized_files.mjs F16.gguf [--imatrix FILE] [--tokens N] [--hearth PATH]");
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "hearth-quantized-"));
process.on("exit", () => rmSync(folder, {recursive: true}));
const file = join(folder, "made.gguf"), logitsFile = join(folder, "logits.f32");
const run = (...args) => spawnSync(hearthBinary, args.map(String), {encoding: "utf8"});

const types = run("quantize", "-h").stdout.match(/Mix of types: (.*)/)[1].split(", ").filter((name) => name !== "COPY");
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 2});

/** ln of the probabilities after each token, as hearth computes them. */
const hearthLogProbabilities = (tokens, ...options) => {
  const made = run("logits", file, "--tokens", tokens.join(","), "-o", logitsFile, ...options);
  if (made.status !== 0) throw new Error(made.stderr);
  const bytes = readFileSync(logitsFile);
  const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const n = all.length / tokens.length;
  return tokens.map((_, i) => {
    const row = Array.from(all.subarray(i * n, (i + 1) * n)), most = Math.max(...row);
    const sum = row.reduce((total, x) => total + Math.exp(x - most), 0);
    return row.map((x) => x - most - Math.log(sum));
  });
};

/** Probabilities by token id after each token, as llama.cpp computes them. */
const peerProbabilities = async (tokens) => {
  const model = await llama.loadModel({modelPath: file});
  const context = await model.createContext({contextSize: 256, threads: 2, flashAttention: false});
  const asked = tokens.map((token) => [token, {generateNext: {probabilities: true, options: {temperature: 1, topK: 0, topP: 1, minP: 0}}}]);
  const found = await context.getSequence().controlledEvaluate(asked);
  await context.dispose();
  await model.dispose();
  return found.map((one) => one.next.probabilities);
};

/** Relative mean square error of rows of logits, of which only differences matter. */
const relativeError = (rows, exact) => {
  let error = 0, signal = 0;
  for (const [i, row] of rows.entries()) {
    const middle = mean(row), middleExact = mean(exact[i]);
    for (const [id, x] of row.entries()) {
      error += (x - middle - (exact[i][id] - middleExact)) ** 2;
      signal += (exact[i][id] - middleExact) ** 2;
    }
  }
  return error / signal;
};
const best = (row) => row.indexOf(Math.max(...row));
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

console.log("type          bytes  llama.cpp  hearth   same best token");
let failures = 0;
for (const type of types) {
  const made = run("quantize", source, file, type, ...(imatrix ? ["--imatrix", imatrix] : []));
  if (made.status !== 0) {
    console.log(`${type.padEnd(9)} ${made.stderr.trim()}`);
    continue;
  }
  try {
    const tokens = Array.from({length: nTokens}, (_, i) => 3 + ((i * 7919) % 251));
    const normal = hearthLogProbabilities(tokens), exact = hearthLogProbabilities(tokens, "--exact", "--kv", "f32");
    const peer = await peerProbabilities(tokens);
    const peerLog = peer.map((row) => exact[0].map((_, id) => Math.log(row.get(id) ?? 1e-38)));
    const same = mean(exact.map((row, i) => (best(row) === best(peerLog[i]) ? 1 : 0)));
    console.log([type.padEnd(9), String(statSync(file).size).padStart(8), relativeError(peerLog, exact).toExponential(2),
      relativeError(normal, exact).toExponential(2), same.toFixed(3)].join("  "));
  } catch (error) {
    ++failures;
    console.log(`${type.padEnd(9)} llama.cpp: ${error.message}`);
  }
}
process.exit(failures ? 1 : 0);
