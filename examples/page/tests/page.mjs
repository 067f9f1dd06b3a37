// What a person does with the page, done by chromium: each test is given a fresh context (nothing kept by the browser).
import assert from 'node:assert/strict';
import { otherModel, smallWorld, visit } from './server.mjs';

const kSum = 'What is 71 plus 11?';
const kRight = '71 + 11 = 82';

/** Writes a message and waits for the whole answer. */
export async function say(page, text) {
  const before = await page.locator('.message.assistant').count();
  await page.fill('#message', text);
  await page.keyboard.press('Enter');
  await page.locator('.message.assistant').nth(before).waitFor();
  await idle(page);
  return page.locator('.message.assistant .markdown').last().innerText();
}

/** Waits until nothing is being written. */
export async function idle(page) {
  await page.locator('button[aria-label="Send"]').waitFor();
}

/** Opens the panel and sets parameters by their names. */
export async function set(page, parameters) {
  if (!(await page.locator('.panel').isVisible())) await page.keyboard.press('Alt+P');
  for (const [name, value] of Object.entries(parameters)) {
    const field = page.locator('.panel label.number', { has: page.locator(`code:text-is("${name}")`) }).locator('input');
    await field.fill(String(value));
    await field.blur();
  }
}

/** What the page asked the server for, last. */
function lastRequest(page) {
  const seen = { body: undefined };
  page.on('request', (request) => {
    if (request.url().endsWith('/v1/chat/completions')) seen.body = request.postDataJSON();
  });
  return seen;
}

/** Lets the server's answer be this text, whatever is asked. */
export async function answerWith(page, text, more = {}) {
  const chunks = [{ choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] }, { choices: [{ index: 0, delta: { content: text, ...more } }] }];
  chunks.push({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], timings: { cache_n: 3, prompt_n: 9, prompt_per_second: 10, predicted_n: 5, predicted_per_second: 7 } });
  const body = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('') + 'data: [DONE]\n\n';
  await page.route('**/v1/chat/completions', (route) => route.fulfill({ contentType: 'text/event-stream', body }));
}

const answers = (page) => page.locator('.message.assistant .markdown').allInnerTexts();

/** Waits until these are the answers that are shown. */
async function expectAnswers(page, wanted) {
  let shown = [];
  for (let i = 0; i < 50; ++i) {
    shown = await answers(page);
    if (JSON.stringify(shown) === JSON.stringify(wanted)) return;
    await page.waitForTimeout(50);
  }
  assert.deepEqual(shown, wanted);
}

/** Opens a window with a key, does something in it, and closes it. */
export async function inWindow(page, key, action) {
  await page.keyboard.press(key);
  await page.locator('dialog[open]').waitFor();
  await action();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
}

export const tests = {
  async 'a first answer without reading anything'({ page }) {
    await set(page, { temperature: 0 });
    assert.equal(await say(page, kSum), kRight);
    const stats = await page.locator('.stats').last().innerText();
    assert.match(stats, /tokens\/s/);
    assert.match(stats, /to first token/);
    assert.match(stats, /% of the prompt from the cache/);
    assert.equal(await page.title(), `${kSum} – hearth`);
  },

  async 'a server that was told of no model has one'({ page, bare }) {
    await page.goto(bare.url);
    await page.locator('.model-button', { hasText: smallWorld }).waitFor();
    await set(page, { temperature: 0 });
    assert.equal(await say(page, kSum), kRight);
  },

  async 'stop keeps what has come, and it can go on'({ page, slow }) {
    await visit(page, slow);
    await set(page, { temperature: 0 });
    await page.locator('.panel .check input').check();
    await page.fill('#message', 'Tell me a story about Anna and a kite.');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => (document.querySelector('.message.assistant .markdown')?.textContent ?? '').length > 20);
    await page.keyboard.press('Escape');
    await idle(page);
    const [text] = await answers(page);
    assert.ok(text.length > 20);
    assert.equal(await page.locator('.message.assistant .stats').last().innerText(), 'stopped');
    await page.locator('.panel .check input').uncheck();
    await page.locator('button[aria-label="Continue"]').click();
    await page.waitForFunction((n) => document.querySelector('.message.assistant .markdown').textContent.length > n, text.length);
    await idle(page);
    assert.ok((await answers(page))[0].startsWith(text.slice(0, 20)));
  },

  async 'editing makes a branch, and both stay'({ page }) {
    await set(page, { temperature: 0 });
    await say(page, kSum);
    await page.locator('.message.user button[aria-label="Edit"]').click();
    await page.locator('.editor textarea').fill('What is 20 plus 30?');
    await page.locator('.editor button.main').click();
    await page.locator('.message.user .branches').waitFor();
    await idle(page);
    await expectAnswers(page, ['20 + 30 = 50']);
    assert.match(await page.locator('.message.user .branches').innerText(), /2\/2/);
    await page.locator('.message.user button[aria-label="Previous branch"]').click();
    await expectAnswers(page, [kRight]);
    await page.locator('.message.user button[aria-label="Next branch"]').click();
    await expectAnswers(page, ['20 + 30 = 50']);
    // An answer may be put otherwise, too; the model is not asked for that.
    await page.locator('.message.assistant button[aria-label="Edit"]').click();
    await page.locator('.editor textarea').fill('fifty');
    await page.locator('.editor button.main').click();
    await expectAnswers(page, ['fifty']);
    assert.match(await page.locator('.message.assistant .branches').innerText(), /2\/2/);
  },

  async 'the editor has the caret as soon as it is there'({ page }) {
    await set(page, { temperature: 0 });
    await say(page, kSum);
    // Observers are told before the next frame and before the next key.
    const caret = await page.evaluate(
      () =>
        new Promise((resolve) => {
          const look = () => {
            const area = document.querySelector('.editor textarea');
            if (area) resolve([document.activeElement === area, area.selectionStart, area.value.length]);
          };
          new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
          document.querySelector('.message.assistant button[aria-label="Edit"]').click();
        }),
    );
    assert.deepEqual(caret, [true, kRight.length, kRight.length]);
  },

  async 'regenerating makes a branch of the answer'({ page }) {
    await set(page, { temperature: 0 });
    await say(page, kSum);
    await page.locator('button[aria-label="Regenerate"]').click();
    await page.locator('.message.assistant .branches').waitFor();
    await idle(page);
    assert.match(await page.locator('.message.assistant .branches').innerText(), /2\/2/);
    await expectAnswers(page, [kRight]);
    await page.locator('.message.assistant button[aria-label="Delete this message and all that follows"]').click();
    assert.equal(await page.locator('.branches').count(), 0);
  },

  async 'conversations are there again after a reload, found, renamed, deleted'({ page }) {
    await set(page, { temperature: 0 });
    await say(page, kSum);
    await page.keyboard.press('Alt+N');
    assert.equal(await page.locator('.message').count(), 0);
    await say(page, 'Tell me about a fox.');
    await page.reload();
    await page.locator('.message.user').waitFor();
    assert.equal(await page.locator('.message.user .plain').innerText(), 'Tell me about a fox.');
    assert.equal(await page.locator('.entry').count(), 2);
    await page.keyboard.press('Alt+F');
    await page.fill('#search', '82 71');
    await page.waitForFunction(() => document.querySelectorAll('.entry').length === 1);
    await page.locator('.entry').click();
    await expectAnswers(page, [kRight]);
    await page.fill('#search', '');
    await page.locator('button[aria-label^="Rename"]').click();
    await page.locator('.list li input').fill('Sums');
    await page.keyboard.press('Enter');
    await page.locator('.entry .title', { hasText: 'Sums' }).waitFor();
    page.on('dialog', (dialog) => dialog.accept());
    await page.locator('button[aria-label^="Delete: Sums"]').click();
    await page.waitForFunction(() => document.querySelectorAll('.entry').length === 1);
    await page.reload();
    await page.locator('.entry').waitFor();
    assert.equal(await page.locator('.entry').count(), 1);
  },

  async 'export and import give the same conversation'({ page, context, url }) {
    await set(page, { temperature: 0, top_k: 7 });
    await page.locator('input[aria-label="Name of the preset"]').fill('exact');
    await page.locator('.panel form button').click();
    await say(page, kSum);
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('button[aria-label="Export all"]').click()]);
    const path = await download.path();
    const other = await context.browser().newContext({ locale: 'en' });
    const fresh = await other.newPage();
    await fresh.goto(url);
    await fresh.locator('input[type=file][accept]').setInputFiles(path);
    await fresh.locator('.entry').click();
    await expectAnswers(fresh, [kRight]);
    await fresh.keyboard.press('Alt+P');
    await fresh.locator('.presets button', { hasText: 'exact' }).click();
    assert.equal(await fresh.locator('.panel label.number', { hasText: 'top_k' }).locator('input').inputValue(), '7');
    // Something else is refused, and nothing breaks.
    await fresh.locator('input[type=file][accept]').setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{"format": 1') });
    await fresh.locator('.notice', { hasText: 'not a file' }).waitFor();
    await other.close();
  },

  async 'every parameter reaches the server'({ page }) {
    const seen = lastRequest(page);
    await page.keyboard.press('Alt+P');
    await page.evaluate(() => document.querySelectorAll('.panel details').forEach((element) => (element.open = true)));
    const names = await page.locator('.panel label.number code').allInnerTexts();
    assert.ok(names.length >= 24, names.join());
    const values = { temperature: 0.5, mirostat: 0, seed: 7, max_tokens: 5, min_keep: 2 };
    for (const name of names) values[name] ??= 1;
    await set(page, values);
    await page.locator('.panel label.text', { hasText: 'System prompt' }).locator('textarea').fill('Be brief.');
    const stop = page.locator('.panel label.text', { hasText: 'Stop texts' }).locator('textarea');
    await stop.fill('zzz\nyyy');
    await stop.blur();
    await say(page, kSum);
    for (const name of names) assert.equal(seen.body[name], values[name], name);
    assert.deepEqual(seen.body.stop, ['zzz', 'yyy']);
    assert.deepEqual(seen.body.messages[0], { role: 'system', content: 'Be brief.' });
    await page.locator('.panel button', { hasText: 'Reset all' }).click();
    await say(page, 'Hello.');
    for (const name of names) assert.equal(seen.body[name], undefined, name);
  },

  async 'what the model itself asks for is sent, unless it is set'({ page }) {
    const seen = lastRequest(page);
    await page.route('**/hearth/state', async (route) => {
      const state = await (await route.fetch()).json();
      for (const model of state.models) Object.assign(model, { system: 'Be kind.', sampling: { temperature: 0.25, num_predict: 6, stop: ['zzz'], top_k: 'x', other: 1 } });
      await route.fulfill({ json: state });
    });
    await page.reload();
    await page.locator('.model-button', { hasText: 'small-world' }).waitFor();
    await say(page, kSum);
    assert.deepEqual([seen.body.temperature, seen.body.max_tokens, seen.body.stop, seen.body.top_k, seen.body.other], [0.25, 6, ['zzz'], undefined, undefined]);
    assert.equal(seen.body.messages[0].content, 'Be kind.');
    await set(page, { temperature: 1 });
    await say(page, kSum);
    assert.deepEqual([seen.body.temperature, seen.body.max_tokens], [1, 6]);
  },

  async 'context and cache types load the model anew'({ page, url }) {
    await page.keyboard.press('Alt+P');
    const context = page.locator('.panel label.number', { hasText: 'Context' }).locator('input');
    await context.fill('256');
    await context.blur();
    await page.locator('.panel label.number', { hasText: 'Cache type of keys' }).locator('select').selectOption('q8_0');
    await set(page, { temperature: 0 });
    assert.equal(await say(page, kSum), kRight);
    const state = await (await fetch(`${url}/hearth/state`)).json();
    const model = seenModel(state);
    const { loaded } = state.models.find(({ name }) => name === model);
    assert.equal(loaded.context, 256);
    assert.equal(loaded.k_type, 'q8_0');
    await fetch(`${url}/hearth/load`, { method: 'POST', body: JSON.stringify({ model }) }); // for the tests that follow
  },

  async 'only drafts that go with the model are offered'({ page }) {
    await page.route('**/hearth/state', async (route) => {
      const state = await (await route.fetch()).json();
      for (const model of state.models) model.drafts = model.name === smallWorld ? [otherModel] : [];
      await route.fulfill({ json: state });
    });
    const loads = [];
    page.on('request', (request) => request.url().endsWith('/hearth/load') && loads.push(request.postDataJSON()));
    await page.reload();
    await page.locator('.model-button', { hasText: 'small-world' }).waitFor();
    const choose = (name) =>
      inWindow(page, 'Alt+M', () => page.locator('.models li', { has: page.locator(`.model-name:text-is("${name}")`) }).locator('input').check());
    await choose(smallWorld);
    await set(page, { temperature: 0 });
    const field = page.locator('.panel label.number', { hasText: 'Draft model' }).locator('select');
    await field.selectOption(otherModel);
    assert.equal(await say(page, kSum), kRight);
    assert.equal(loads.at(-1).model, smallWorld);
    assert.equal(loads.at(-1).draft, otherModel);
    await choose(otherModel);
    await field.waitFor({ state: 'detached' });
    await say(page, kSum);
    assert.equal(loads.filter(({ model, draft }) => model === otherModel && draft !== '').length, 0);
  },

  async 'models are chosen, loaded and unloaded'({ page }) {
    const seen = lastRequest(page);
    const row = (name) => page.locator('.models li', { has: page.locator(`.model-name:text-is("${name}")`) });
    const load = (name) => row(name).locator('button', { hasText: /^Load$/ });
    const unload = (name) => row(name).locator('button', { hasText: /^Unload$/ });
    await inWindow(page, 'Alt+M', async () => {
      await row(smallWorld).waitFor();
      if (await unload(otherModel).isVisible()) await unload(otherModel).click();
      await load(otherModel).click();
      await unload(otherModel).waitFor();
    });
    await say(page, kSum);
    assert.equal(seen.body.model, otherModel);
    await inWindow(page, 'Alt+M', async () => {
      await unload(otherModel).click();
      await load(otherModel).waitFor();
      await row(smallWorld).locator('input').check();
    });
    await say(page, kSum);
    assert.equal(seen.body.model, smallWorld);
    assert.match(await page.locator('.model-button').innerText(), new RegExp(smallWorld));
  },

  async 'a JSON schema is kept to'({ page }) {
    await set(page, { temperature: 0, max_tokens: 60 });
    const field = page.locator('.panel label.text', { hasText: 'JSON schema' });
    await field.locator('textarea').fill('{"type": "object"');
    await field.locator('.fault').waitFor();
    await field.locator('textarea').fill('{"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"], "additionalProperties": false}');
    assert.equal(await field.locator('.fault').count(), 0);
    const value = JSON.parse(await say(page, kSum));
    assert.deepEqual(Object.keys(value), ['sum']);
    assert.ok(Number.isInteger(value.sum));
  },

  async 'text files are attached, others refused'({ page }) {
    const seen = lastRequest(page);
    const picker = page.locator('.composer input[type=file]');
    await picker.setInputFiles([
      { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('The kite is red.\n```\nnot the end\n') },
      { name: 'picture.png', mimeType: 'image/png', buffer: Buffer.from([0x89, 0x50, 0, 1, 0xff]) },
    ]);
    await page.locator('.notice', { hasText: 'picture.png is not a text file' }).waitFor();
    assert.equal(await page.locator('.attached li').count(), 1);
    await set(page, { max_tokens: 3 });
    await say(page, 'What colour is it?');
    const { content } = seen.body.messages.at(-1);
    assert.match(content, /^notes\.txt:\n````\nThe kite is red\.\n```\nnot the end\n````\n\nWhat colour is it\?$/);
    await page.reload();
    await page.locator('.message .file summary', { hasText: 'notes.txt' }).waitFor();
    // Dropped beside the field, too.
    await page.evaluate(() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(['dropped'], 'dropped.txt'));
      for (const name of ['dragover', 'drop']) document.querySelector('.top').dispatchEvent(new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true }));
    });
    await page.locator('.attached li', { hasText: 'dropped.txt' }).waitFor();
  },

  async 'reasoning is folded, calls are shown and answered'({ page }) {
    await answerWith(page, '', { reasoning_content: 'Let me *think*.', tool_calls: [{ index: 0, id: 'call_1', function: { name: 'weather', arguments: '{"city": "<b>Taipei</b>"}' } }] });
    const seen = lastRequest(page);
    await page.fill('#message', 'Weather?');
    await page.keyboard.press('Enter');
    await page.locator('.call').waitFor();
    await idle(page);
    assert.equal(await page.locator('.fold .markdown').isVisible(), false);
    await page.locator('.fold summary').click();
    assert.equal(await page.locator('.fold em').innerText(), 'think');
    assert.match(await page.locator('.call').innerText(), /weather[^]*<b>Taipei<\/b>/);
    await page.unroute('**/v1/chat/completions');
    await answerWith(page, 'Rain.');
    await page.locator('.call textarea').fill('{"rain": true}');
    await page.locator('.call button').click();
    await page.locator('.message.assistant').nth(1).waitFor();
    await idle(page);
    const [, call, result] = seen.body.messages;
    assert.equal(call.tool_calls[0].function.name, 'weather');
    assert.deepEqual(result, { role: 'tool', tool_call_id: 'call_1', content: '{"rain": true}' });
  },

  async 'the model goes on when all of its calls are answered'({ page }) {
    const call = (index) => ({ index, id: `call_${index}`, function: { name: `tool_${index}`, arguments: '{}' } });
    await answerWith(page, '', { tool_calls: [call(0), call(1)] });
    const seen = lastRequest(page);
    await page.fill('#message', 'Both?');
    await page.keyboard.press('Enter');
    await page.locator('.call').nth(1).waitFor();
    await idle(page);
    await page.unroute('**/v1/chat/completions');
    await answerWith(page, 'Done.');
    for (const index of [1, 0]) {
      assert.equal(await page.locator('.message.assistant').count(), 1);
      const box = page.locator('.call', { hasText: `tool_${index}` });
      await box.locator('textarea').fill(`result ${index}`);
      await box.locator('button').click();
      await box.locator('textarea').waitFor({ state: 'detached' });
    }
    await page.locator('.message.assistant', { hasText: 'Done.' }).waitFor();
    assert.deepEqual(seen.body.messages.slice(2).map(({ tool_call_id: id, content }) => [id, content]), [['call_1', 'result 1'], ['call_0', 'result 0']]);
  },
};

function seenModel(state) {
  return state.models.find(({ state: how }) => how === 'loaded').name;
}
