// The model's own thread, so that the page stays awake while it writes.
import {Hearth, moduleFile} from './hearth.js';

let hearth;

const tasks = {
  async open({source}) {
    hearth ??= await Hearth.load(await fetch(moduleFile()));
    await hearth.open(typeof source === 'string' ? await fetch(source) : source, {
      onProgress: (done, total) => postMessage({kind: 'progress', done, total}),
    });
    postMessage({kind: 'ready', text: hearth.text(hearth.call.describe())});
  },
  say({text, fresh}) {
    hearth.say(text, (piece) => postMessage({kind: 'text', text: piece}), {fresh});
    postMessage({kind: 'done', speed: hearth.speed});
  },
};

onmessage = async ({data}) => {
  try {
    await tasks[data.task](data);
  } catch (error) {
    postMessage({kind: 'error', text: error.message});
  }
};
