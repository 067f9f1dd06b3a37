// Measures llama.cpp through node-llama-cpp: prompt and generation speed, one JSON line.
//   node llama_cpp.mjs MODEL --threads 2 --prompt 512 --generate 64 --depth 0 --sequences 1 --kv f16
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const [modelPath, ...rest] = process.argv.slice(2);
const option = (name, fallback) => {
  const at = rest.indexOf("--" + name);
  return at < 0 ? fallback : Number(rest[at + 1]);
};
const threads = option("threads", 2), nPrompt = option("prompt", 512), nGenerate = option("generate", 64);
const depth = option("depth", 0), nSequences = option("sequences", 1);
const kvType = (rest.includes("--kv") ? rest[rest.indexOf("--kv") + 1] : "f16").toUpperCase();

const seconds = async (work) => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};
const someTokens = (n, seed) => Array.from({length: n}, (_, i) => 100 + ((i * 7919 + seed * 104729) % 400) % 250);

const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: threads});
const model = await llama.loadModel({modelPath});
const contextSize = depth + nPrompt + nGenerate + 16;
const context = await model.createContext({contextSize, batchSize: 512, threads, sequences: nSequences, flashAttention: true,
                                           experimentalKvCacheKeyType: kvType, experimentalKvCacheValueType: kvType});

/** Feeds tokens and stops before anything is generated. */
const feed = (sequence, tokens) => sequence.evaluateWithoutGeneratingNewTokens(tokens);

/** Generates n tokens greedily. */
const generate = async (sequence, n) => {
  let count = 0;
  for await (const token of sequence.evaluate([100], {temperature: 0, yieldEogToken: true})) {
    if (++count >= n) return token;
  }
};

const result = {engine: "llama.cpp", threads, depth, sequences: nSequences};
const sequences = Array.from({length: nSequences}, () => context.getSequence());
if (nSequences === 1) {
  const [sequence] = sequences;
  await feed(sequence, someTokens(16, 1));  // first use allocates
  await sequence.clearHistory();
  if (depth > 0) await feed(sequence, someTokens(depth, 2));
  const pp = await seconds(() => feed(sequence, someTokens(nPrompt, 3)));
  result.pp = nPrompt / pp;
  if (depth === 0) {
    await sequence.clearHistory();
  } else {
    await sequence.eraseContextTokenRanges([{start: depth, end: depth + nPrompt}]);
  }
  if (nGenerate > 0) result.tg = nGenerate / (await seconds(() => generate(sequence, nGenerate)));
} else {
  for (const [i, sequence] of sequences.entries()) await feed(sequence, someTokens(128, i));
  const time = await seconds(() => Promise.all(sequences.map((sequence) => generate(sequence, nGenerate))));
  result.tg = nSequences * nGenerate / time;
}
console.log(JSON.stringify(result));
process.exit(0);
