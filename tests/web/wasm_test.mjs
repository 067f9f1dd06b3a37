// The WebAssembly module under Node: node wasm_test.mjs hearth.wasm REPOSITORY [GOLDEN]. Checks the kernels, the text of the
// trained model, errors, and the models of the golden folder. hearth-relaxed.wasm likewise, where the engine takes it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

import {Hearth, moduleFile} from '../../examples/web/hearth.js';

const [modulePath, root, golden] = process.argv.slice(2);
const isRelaxed = modulePath.endsWith('-relaxed.wasm');
assert.equal(WebAssembly.validate(fs.readFileSync(modulePath)), !isRelaxed || moduleFile() === 'hearth-relaxed.wasm');
if (isRelaxed && moduleFile() !== 'hearth-relaxed.wasm') {
  console.log('hearth-relaxed.wasm: skipped, this engine has no relaxed SIMD');
  process.exit();
}
const hearth = await Hearth.load(fs.readFileSync(modulePath));
const {call} = hearth;

assert.equal(call.self_test(), 0, hearth.text(call.error()));
console.log('kernels:', hearth.text(call.active_isa()));

await assert.rejects(hearth.open(new Uint8Array(100)), /format|GGUF/i);
assert.throws(() => hearth.generate('x'), /no model is open/);
assert.equal(call.allocate(0xffffff00) >>> 0, 0, 'memory that there is not');

const model = fs.readFileSync(path.join(root, 'examples/models/small-world-q8_0.gguf'));
await hearth.open(model, {n_ctx: 256});
assert.equal(hearth.text(call.active_isa()), isRelaxed ? 'wasm_relaxed' : 'wasm');
// What every instruction set writes: the names stand in the prompt (a model that may choose one finds two as likely).
const beginning = 'Once upon a time there was a brave duck called Oreo. The home of Oreo was near the hill. ' +
    'One snowy Friday, Oreo met a wolf called Rocky. "I am';
const story = hearth.generate(beginning, {maxTokens: 20, temperature: 0});
assert.equal(story, ' cold," said Rocky. Oreo had a carrot and gave half of it to Rocky. After that they');
assert.equal(hearth.say('What is 27 + 45?', undefined, {fresh: true, temperature: 0}), '27 + 45 = 72');
let pieces = 0;
hearth.generate('Once upon a time', {onText: () => ++pieces < 3});
assert.equal(pieces, 3, 'a page can stop it');
assert.ok(call.memory.buffer.byteLength < model.length + (24 << 20), 'the file lies in memory once');

const folder = path.join(golden ?? '', 'models');
let n = 0;
for (const name of golden && fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
  if (!name.endsWith('.logits.f32')) continue;
  const about = JSON.parse(fs.readFileSync(path.join(folder, name.replace('.logits.f32', '.json'))));
  await hearth.open(fs.readFileSync(path.join(folder, about.model)), {n_ctx: about.n_ctx});
  const raw = fs.readFileSync(path.join(folder, name));
  const values = new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
  const ids = call.allocate(4 * about.tokens.length), out = call.allocate(4 * values.length);
  new Int32Array(hearth.memory.buffer, ids, about.tokens.length).set(about.tokens);
  hearth.check(call.score(ids, about.tokens.length, about.n_ctx, out));
  const got = new Float32Array(hearth.memory.buffer, out, values.length);
  let error = 0, norm = 0;
  values.forEach((value, i) => {
    error += (value - got[i]) ** 2;
    norm += value ** 2;
  });
  // Files of floats have the rounding of sums alone; others the error of another program's kernels.
  const bound = about.peer_nmse ?? 1e-10;
  assert.ok(error / norm <= bound, `${name}: ${error / norm}, bound ${bound}`);
  call.release(ids);
  call.release(out);
  ++n;
}
console.log(golden ? `${n} golden models` : 'golden models: skipped, no folder');
