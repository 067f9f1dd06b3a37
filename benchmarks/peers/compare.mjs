// Runs hearth and its peers in turn on the same file and prints medians and ratios. See benchmarks/README.md.
//   node compare.mjs MODEL [--threads 2] [--prompt 512] [--generate 64] [--depth 0] [--sequences 1] [--rounds 3] [--kv f16] [--isa NAME] [--beside-busy]
// --beside-busy: how fast each engine generates while another program keeps one core busy, beside what a single thread does alone.
// Peers: llama.cpp when `npm install` was run here; any llama-bench named in LLAMA_BENCH (its neighbors
// llama-sweep-bench and llama-batched-bench serve --depth and --sequences).
import {spawn, spawnSync} from "node:child_process";
import {existsSync} from "node:fs";
import {tmpdir} from "node:os";
import {dirname, join, resolve} from "node:path";
import {fileURLToPath} from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [modelArgument, ...rest] = process.argv.slice(2);
const model = modelArgument && resolve(modelArgument);
const option = (name, fallback) => {
  const at = rest.indexOf("--" + name);
  return at < 0 ? fallback : rest[at + 1];
};
const setup = Object.fromEntries(
    Object.entries({threads: 2, prompt: 512, generate: 64, depth: 0, sequences: 1, rounds: 3})
        .map(([name, fallback]) => [name, Number(option(name, fallback))]));
const besideBusy = rest.includes("--beside-busy");
const kv = option("kv", "f16");  // of cached keys and values
const hearthBinary = resolve(option("hearth", join(here, "../../build/hearth")));

if (!model || !existsSync(model)) {
  console.error("usage: node compare.mjs MODEL [--threads N] [--prompt N] [--generate N] [--depth N] [--sequences N] [--rounds N] [--kv TYPE] [--isa NAME] [--beside-busy]");
  process.exit(2);
}
if (besideBusy) Object.assign(setup, {prompt: 16, depth: 0, sequences: 1});

/** Runs a program (some leave log files where they stand) and returns what it printed; null, and a line to stderr, when it failed. */
const output = (program, args, {withErrors = false} = {}) => {
  const run = spawnSync(program, args.map(String), {encoding: "utf8", maxBuffer: 1 << 26, cwd: tmpdir()});
  if (run.status === 0) return run.stdout + (withErrors ? "\n" + run.stderr : "");
  console.error(`${program}: ${(run.error?.message ?? run.stderr ?? "").trim().split("\n").pop()}`);
  return null;
};

const hearth = () => {
  const args = ["bench", model, "-t", setup.threads, "-r", 1, "--kv", kv, "--json"];
  if (option("isa")) args.push("--isa", option("isa"));
  if (setup.sequences > 1) {
    args.push("-p", 0, "-n", setup.generate, "-b", setup.sequences);
  } else {
    args.push("-p", setup.prompt, "-n", setup.generate, "-d", setup.depth);
  }
  const text = output(hearthBinary, args);
  if (!text) return null;
  const [run] = JSON.parse(text).runs;
  const result = {limits: run.limits};
  for (const test of run.tests) {
    if (setup.sequences > 1 && test.sequences !== setup.sequences) continue;
    const key = test.test.startsWith("pp") ? "pp" : "tg";
    result[key] = test.tokens_per_second.median;
    result[key + "Fraction"] = key === "pp" ? test.fraction_of_int8_peak : test.fraction_of_bandwidth;
  }
  return result;
};

const llamaCpp = () => {
  const args = [join(here, "llama_cpp.mjs"), model];
  for (const name of ["threads", "prompt", "generate", "depth", "sequences"]) args.push("--" + name, setup[name]);
  args.push("--kv", kv);
  const text = output(process.execPath, args);
  return text && JSON.parse(text.trim().split("\n").pop());
};

const llamaBench = (bench) => () => {
  const threads = ["-t", setup.threads, "-ctk", kv, "-ctv", kv], neighbor = (name) => join(dirname(bench), name);
  if (setup.sequences > 1) {
    const context = setup.sequences * (128 + setup.generate + 16);
    const text = output(neighbor("llama-batched-bench"), ["-m", model, "-c", context, "-npp", 128, "-ntg", setup.generate, "-npl", setup.sequences, ...threads], {withErrors: true});
    const row = text?.split("\n").find((line) => /^\|\s+128 \|/.test(line));
    return row && {tg: Number(row.split("|")[8])};  // S_TG t/s
  }
  if (setup.depth > 0) {
    const text = output(neighbor("llama-sweep-bench"), ["-m", model, "-c", setup.depth + 2 * setup.prompt, "-ub", setup.prompt, "-fa", "on", ...threads], {withErrors: true});
    const rows = (text ?? "").split("\n").map((line) => line.split("|").map(Number)).filter((cells) => cells[3] === setup.depth);
    return rows.length > 0 ? {pp: rows[0][5], tg: rows[0][7]} : null;
  }
  const text = output(bench, ["-m", model, "-p", setup.prompt, "-n", setup.generate, "-r", 1, "-o", "json", ...threads]);
  if (!text) return null;
  const result = {};
  for (const test of JSON.parse(text)) result[test.n_gen > 0 ? "tg" : "pp"] = test.avg_ts;
  return result;
};

const engines = {hearth};
if (existsSync(join(here, "node_modules/node-llama-cpp"))) engines["llama.cpp"] = llamaCpp;
for (const bench of (process.env.LLAMA_BENCH ?? "").split(":").filter(Boolean).map((path) => resolve(path))) engines[bench.split("/").slice(-4, -3)[0] || bench] = llamaBench(bench);

/** Runs `work` while a program of our own computes without rest on the first core. */
const withBusyCore = (work) => {
  const neighbor = spawn("taskset", ["-c", "0", process.execPath, "-e", "for (;;);"], {stdio: "ignore"});
  if (!neighbor.pid) {
    console.error("--beside-busy needs taskset (util-linux)");
    process.exit(1);
  }
  try {
    return work();
  } finally {
    neighbor.kill("SIGKILL");
  }
};

/** {alone, beside}: tokens a second of one thread on the machine as it is, and of all threads beside a busy core. */
const measureBesideBusy = (measure) => {
  const {threads} = setup;
  const at = (n) => {
    setup.threads = n;
    return measure()?.tg;
  };
  const alone = at(1), beside = withBusyCore(() => at(threads));
  return alone && beside ? {alone, beside} : null;
};

const samples = {};
for (let round = 0; round < setup.rounds; ++round) {
  for (const [name, measure] of Object.entries(engines)) {
    const result = besideBusy ? measureBesideBusy(measure) : measure();
    if (result) (samples[name] ??= []).push(result);
    process.stderr.write(`round ${round + 1} ${name} ${JSON.stringify(result)}\n`);
  }
}

const median = (values) => {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const of = (name, key) => median((samples[name] ?? []).map((sample) => sample[key]));

if (besideBusy) {
  console.log(`${model.split("/").pop()}, generation, medians of ${setup.rounds} rounds in turn`);
  console.log(`| engine | 1 thread alone t/s | ${setup.threads} threads beside a busy core t/s | ratio |\n| --- | --- | --- | --- |`);
  for (const name of Object.keys(samples)) {
    const alone = of(name, "alone"), beside = of(name, "beside");
    console.log(`| ${name} | ${alone.toFixed(1)} | ${beside.toFixed(1)} | ${(beside / alone).toFixed(2)} |`);
  }
  process.exit(0);
}

console.log(`${model.split("/").pop()}, ${setup.threads} threads, depth ${setup.depth}, keys and values in ${kv}, ${setup.sequences} sequence(s), medians of ${setup.rounds} rounds in turn`);
console.log("| engine | prompt t/s | hearth / it | generation t/s | hearth / it |\n| --- | --- | --- | --- | --- |");
for (const name of Object.keys(samples)) {
  const number = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "-");
  const cell = (key) => [number(of(name, key), 1), number(of("hearth", key) / of(name, key), 2)].join(" | ");
  console.log(`| ${name} | ${cell("pp")} | ${cell("tg")} |`);
}
for (const [key, limit] of [["ppFraction", "int8 peak"], ["tgFraction", "read bandwidth"]]) {
  const fraction = 100 * of("hearth", key);
  if (Number.isFinite(fraction)) console.log(`hearth: ${fraction.toFixed(0)}% of the ${limit}`);
}
