// hearth in a page, a worker or Node: loads the module and calls it with texts and files.
//
//   const hearth = await Hearth.load(await fetch(moduleFile()));
//   await hearth.open(await fetch('model.gguf'));     // or a File of an <input>: read into the module's memory, once
//   hearth.say('Hello', (piece) => show(piece));

/** The few functions of the system that the C++ library needs. */
function system(memory) {
  const view = () => new DataView(memory().buffer);
  return {
    clock_time_get: (id, precision, out) => {
      const ms = id === 0 ? Date.now() : performance.now();
      view().setBigUint64(out, BigInt(Math.round(ms * 1e6)), true);
      return 0;
    },
    environ_get: () => 0,
    environ_sizes_get: (count, bytes) => {
      view().setUint32(count, 0, true);
      view().setUint32(bytes, 0, true);
      return 0;
    },
    proc_exit: (code) => {
      throw new Error(`hearth: the module ended (${code})`);
    },
  };
}

/** Reads a Response, a Blob (a File) or bytes in pieces; tells the size first. */
async function* pieces(source) {
  if (source instanceof Uint8Array) {
    yield source.length;
    yield source;
    return;
  }
  const isResponse = typeof Response !== 'undefined' && source instanceof Response;
  if (isResponse && !source.ok) throw new Error(`${source.url}: ${source.status}`);
  let body = source;
  if (isResponse && source.headers.get('content-length') === null) body = await source.blob();  // of unknown length
  yield body instanceof Blob ? body.size : Number(source.headers.get('content-length'));
  const reader = (body instanceof Blob ? body.stream() : body.body).getReader();
  for (let part; !(part = await reader.read()).done;) yield part.value;
}

/** A module whose one function holds i32x4.relaxed_dot_i8x16_i7x16_add_s. */
const relaxed = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b, 3, 2, 1, 0,
  10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x93, 2, 0x0b,
]);

/** The file for this engine: with dot products of bytes where it has them, which makes prompts up to twice as fast. */
export const moduleFile = () => (WebAssembly.validate(relaxed) ? 'hearth-relaxed.wasm' : 'hearth.wasm');

export class Hearth {
  /** From a Response or from bytes. */
  static async load(source) {
    const hearth = new Hearth();
    const wasi = new Proxy(system(() => hearth.memory), {get: (known, name) => known[name] ?? (() => 52)});  // ENOSYS
    const imports = {
      wasi_snapshot_preview1: wasi,
      page: {on_text: (at, size) => hearth.hear(at, size)},
    };
    const bytes = source instanceof Uint8Array ? source : await source.arrayBuffer();
    const {instance} = await WebAssembly.instantiate(bytes, imports);
    hearth.call = instance.exports;
    hearth.memory = instance.exports.memory;
    hearth.call._initialize();
    return hearth;
  }

  /** Reads a model into the module's memory, once, and opens it there. */
  async open(source, {n_ctx = 0, onProgress = () => {}} = {}) {
    this.call.release(this.file ?? 0);
    this.file = 0;
    let size = 0, done = 0;
    for await (const piece of pieces(source)) {
      if (typeof piece === 'number') {
        size = piece;
        this.file = this.call.allocate(size);
        if (this.file === 0) throw new Error(`there is no memory for a model of ${size} bytes`);
        continue;
      }
      if (done + piece.length > size) throw new Error('the file is longer than it said');
      new Uint8Array(this.memory.buffer, this.file + done, piece.length).set(piece);
      done += piece.length;
      onProgress(done, size);
    }
    if (done !== size) throw new Error(`the file ended after ${done} of ${size} bytes`);
    this.check(this.call.open(this.file, size, n_ctx));
  }

  /** Continues a text. onText(piece) may return false to stop. */
  generate(prompt, {maxTokens = 128, temperature = 0.8, onText = () => {}} = {}) {
    return this.collect(onText, () => this.withText(prompt, (at, n) => this.call.generate(at, n, maxTokens, temperature)));
  }

  /** Answers in a conversation; `fresh` begins another. */
  say(text, onText = () => {}, {fresh = false, temperature = 0.8} = {}) {
    return this.collect(onText, () => this.withText(text, (at, n) => this.call.say(at, n, fresh ? 1 : 0, temperature)));
  }

  /** Of the last text. */
  get speed() {
    const {call} = this;
    return {
      prompt: call.prompt_tokens() / call.prompt_seconds(),
      generation: Math.max(0, call.generated_tokens() - 1) / call.generate_seconds(),
    };
  }

  text(at) {
    const bytes = new Uint8Array(this.memory.buffer);
    return new TextDecoder().decode(bytes.slice(at, bytes.indexOf(0, at)));
  }

  check(ok) {
    if (!ok) throw new Error(this.text(this.call.error()));
  }

  collect(onText, run) {
    let text = '';
    this.onText = (piece) => {
      text += piece;
      return onText(piece) !== false;
    };
    this.check(run());
    return text;
  }

  hear(at, size) {
    return this.onText(new TextDecoder().decode(new Uint8Array(this.memory.buffer, at, size).slice())) ? 1 : 0;
  }

  withText(text, run) {
    const bytes = new TextEncoder().encode(text);
    const at = this.call.allocate(bytes.length + 1);
    if (at === 0) throw new Error('there is no memory for the text');
    new Uint8Array(this.memory.buffer, at, bytes.length).set(bytes);
    try {
      return run(at, bytes.length);
    } finally {
      this.call.release(at);
    }
  }
}
