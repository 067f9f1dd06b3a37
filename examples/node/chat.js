// Talks with a model: node chat.js MODEL, one line of standard input after the other. HEARTH_LIBRARY names the shared
// library (cmake -DBUILD_SHARED_LIBS=ON); `npm install` brings koffi, which calls it.
'use strict';
const koffi = require('koffi');
const readline = require('readline');

const lib = koffi.load(process.env.HEARTH_LIBRARY || 'libhearth.so');
const HearthError = koffi.struct('HearthError', {code: 'int32', message: koffi.array('char', 512, 'String')});
const OnText = koffi.proto('bool OnText(void* user, void* text, size_t size)');
const open = lib.func('int32 hearth_model_open(const char* path, void* options, _Out_ void** out, _Out_ HearthError* error)');
const createSession =
    lib.func('int32 hearth_session_create(void* model, void* options, _Out_ void** out, _Out_ HearthError* error)');
const createChat = lib.func(
    'int32 hearth_chat_create(void* session, void* template, void* settings, _Out_ void** out, _Out_ HearthError* error)');
const say = lib.func(
    'int32 hearth_chat_say(void* chat, const char* text, size_t size, OnText* onText, void* user, void* out, _Out_ HearthError* error)');
const free = ['chat', 'session', 'model'].map((name) => lib.func(`void hearth_${name}_free(void* handle)`));

/** Calls a function whose last argument is an error; throws it. */
function call(f, ...args) {
  const error = {};
  if (f(...args, error) !== 0) throw new Error(error.message);
}

async function main() {
  const model = [null], session = [null], chat = [null];
  call(open, process.argv[2] || 'model.gguf', null, model);
  call(createSession, model[0], null, session);
  call(createChat, session[0], null, null, chat);
  const print = (user, text, size) => {
    process.stdout.write(Buffer.from(koffi.decode(text, 'uint8', Number(size))));
    return true;
  };
  const onText = koffi.register(print, koffi.pointer(OnText));
  for await (const line of readline.createInterface({input: process.stdin})) {
    call(say, chat[0], line, Buffer.byteLength(line), onText, null, null);
    process.stdout.write('\n');
  }
  [chat, session, model].forEach((handle, i) => free[i](handle[0]));
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
