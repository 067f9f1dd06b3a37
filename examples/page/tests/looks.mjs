// How the page behaves for eyes, keys and small windows.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { answerWith, idle, inWindow } from './page.mjs';
import { visit } from './server.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const kSample = `# A heading

Some *text* with \`code\`, a [link](https://example.org) and $e^{i\\pi} + 1 = 0$.

| name | value |
| :--- | ---: |
| one | 1 |
| two | 22 |

\`\`\`python
def area(r):  # a comment
    return 3.14159 * r ** 2, "text"
\`\`\`

$$\\int_0^1 x^2\\,dx = \\frac{1}{3}$$

1. first
2. second

> a quotation
`;

/** A conversation that shows everything that messages can hold. */
export async function showSample(page) {
  await answerWith(page, kSample, { reasoning_content: 'First this, then that.' });
  await page.fill('#message', 'Show me everything.');
  await page.keyboard.press('Enter');
  await page.locator('.message.assistant .stats').waitFor();
  await page.locator('math').first().waitFor();
  await page.locator('.hljs-keyword').first().waitFor();
  await idle(page);
}

/** Faults that axe finds against WCAG 2 A and AA, contrast included. */
async function faults(page) {
  // The page's policy lets no script in; the driver's own way does.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 120)} (${failureSummary.slice(0, 200)})`).join('\n  ')}`);
}

const isWide = (page) => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

export const tests = {
  async 'markdown, tables, code and formulas are shown and copied'({ page, context }) {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await showSample(page);
    assert.equal(await page.locator('.block table td').nth(3).innerText(), '22');
    assert.equal(await page.locator('.block td.to-right').count(), 2);
    assert.equal(await page.locator('math').count(), 2);
    assert.ok(!(await page.locator('.block').allInnerTexts()).join().includes('\\frac'), 'the source of a formula stands beside it');
    const paste = () => page.evaluate(() => navigator.clipboard.readText());
    await page.locator('.code .copy').click();
    await page.locator('.code .copy', { hasText: 'Copied' }).waitFor();
    assert.match(await paste(), /^def area\(r\):  # a comment\n    return/);
    await page.locator('.table .copy').click();
    await page.locator('.table .copy', { hasText: 'Copied' }).waitFor();
    assert.equal(await paste(), 'name\tvalue\none\t1\ntwo\t22');
    await page.locator('.message.assistant button[aria-label="Copy"]').click();
    await page.locator('.notice', { hasText: 'Copied' }).waitFor();
    assert.equal(await paste(), kSample);
  },

  async 'nothing that WCAG AA forbids, light and dark'({ page }) {
    await showSample(page);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      assert.deepEqual(await faults(page), [], colorScheme);
      await page.keyboard.press('Alt+P');
      await page.locator('.panel').waitFor();
      assert.deepEqual(await faults(page), [], `${colorScheme}, panel`);
      await page.keyboard.press('Alt+P');
      await inWindow(page, 'Alt+M', async () => assert.deepEqual(await faults(page), [], `${colorScheme}, models`));
      for (const name of ['Keyboard', 'Appearance, Language']) {
        await page.locator(`button[aria-label="${name}"]`).click();
        await page.locator('dialog[open]').waitFor();
        assert.deepEqual(await faults(page), [], `${colorScheme}, ${name}`);
        await page.keyboard.press('Escape');
        await page.locator('dialog').waitFor({ state: 'detached' });
      }
    }
  },

  async 'everything by keys alone'({ page }) {
    await page.locator('#message:focus').waitFor();
    await page.keyboard.type('What is 71 plus 11?');
    await page.keyboard.press('Enter');
    await page.locator('.message.assistant .stats').waitFor();
    await idle(page);
    // Every button under the answer can be reached, and shows that it is.
    const reached = new Set();
    for (let i = 0; i < 60; ++i) {
      await page.keyboard.press('Tab');
      const found = await page.evaluate(() => {
        const e = document.activeElement;
        const style = getComputedStyle(e);
        const isMarked = style.outlineStyle !== 'none' || getComputedStyle(e.closest('.composer') ?? e).outlineStyle !== 'none';
        return { name: e.getAttribute('aria-label') ?? e.textContent, isMarked, isBody: e === document.body };
      });
      if (found.isBody) continue;
      assert.ok(found.isMarked, `no mark on ${found.name}`);
      reached.add(found.name);
    }
    for (const name of ['Copy', 'Edit', 'Regenerate', 'New conversation', 'Parameters', 'Attach text files', 'Search conversations', 'Import']) assert.ok(reached.has(name), `${name} was not reached: ${[...reached]}`);
    await page.focus('#message');
    await page.keyboard.press('ArrowUp');
    await page.locator('.editor textarea:focus').waitFor();
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('.editor').count(), 0);
    await inWindow(page, 'Alt+M', async () => {});
    await page.keyboard.press('Alt+N');
    assert.equal(await page.locator('.message').count(), 0);
  },

  async 'write, send, stop, edit and branch by keys alone'({ page, slow }) {
    await visit(page, slow);
    // The hands never leave the keyboard: whatever has the focus gets the keys.
    const keys = async (...names) => {
      for (const name of names) await page.keyboard.press(name);
    };
    const focusOn = async (label) => {
      for (let i = 0; i < 80; ++i) {
        const name = await page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
        if (name === label) return;
        await keys('Tab');
      }
      assert.fail(`${label} cannot be reached by Tab`);
    };
    await page.locator('#message:focus').waitFor();
    await keys('Alt+P');
    await page.locator('.panel .check input').focus(); // "go on behind the end": a long answer, so that there is time
    await keys('Space', 'Alt+P');
    await focusOn('Message');
    await page.keyboard.type('Tell me a story.');
    await keys('Enter');
    await page.waitForFunction(() => (document.querySelector('.message.assistant .markdown')?.textContent ?? '').length > 5);
    await focusOn('Stop');
    await keys('Enter');
    await page.locator('.message.assistant .stats', { hasText: 'stopped' }).waitFor();
    await idle(page);
    // The last message of one's own is mended, and sent again: another branch, and there is a way back.
    await focusOn('Message');
    await keys('ArrowUp');
    await page.locator('.editor textarea:focus').waitFor();
    await keys('Control+A');
    await page.keyboard.type('Tell me another.');
    await keys('Control+Enter');
    await page.waitForFunction(() => (document.querySelector('.message.assistant .markdown')?.textContent ?? '').length > 5);
    await keys('Escape');
    await page.locator('.message.assistant .stats', { hasText: 'stopped' }).waitFor();
    await focusOn('Previous branch');
    await keys('Enter');
    await page.locator('.message.user', { hasText: 'Tell me a story.' }).waitFor();
  },

  async 'a phone, and text at 200 %'({ page }) {
    await showSample(page);
    for (const [width, height, size] of [[360, 700, '100%'], [1280, 800, '200%'], [640, 400, '100%'], [320, 640, '100%']]) {
      await page.setViewportSize({ width, height });
      await page.evaluate((value) => document.documentElement.style.setProperty('font-size', value), size);
      const at = `${width} by ${height} at ${size}`;
      if (width < 896 && (await page.locator('.list').isVisible())) await page.locator('.top button').first().click();
      assert.equal(await isWide(page), false, at);
      for (const name of ['#message', 'button[aria-label="Send"]', '.model-button']) {
        const box = await page.locator(name).boundingBox();
        assert.ok(box && box.x >= 0 && box.x + box.width <= width + 1 && box.y + box.height <= height + 1, `${name}, ${at}: ${JSON.stringify(box)}`);
      }
      await page.keyboard.press('Alt+P');
      const panel = await page.locator('.panel').boundingBox();
      assert.ok(panel.x >= -1 && panel.x + panel.width <= width + 1, `panel, ${at}: ${JSON.stringify(panel)}`);
      await page.keyboard.press('Alt+P');
    }
  },

  async 'English and Chinese, light and dark, as chosen'({ page }) {
    await page.locator('button[aria-label="Appearance, Language"]').click();
    await page.locator('dialog label', { hasText: '繁體中文' }).click();
    await page.locator('dialog label', { hasText: '深色' }).click();
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('#message').getAttribute('placeholder'), '輸入訊息');
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-Hant');
    await page.reload();
    await page.locator('button[aria-label="送出"]').waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(27, 26, 24)');
  },

  async 'a server that is away is told of, and its return noticed'({ page }) {
    await page.route('**/hearth/state', (route) => route.abort());
    await page.route('**/v1/chat/completions', (route) => route.abort());
    await page.route('**/hearth/load', (route) => route.abort());
    const look = () => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await look();
    await page.locator('.away').waitFor();
    await page.fill('#message', 'Hello?');
    await page.keyboard.press('Enter');
    await page.locator('.message .error').waitFor();
    for (const path of ['**/hearth/state', '**/v1/chat/completions', '**/hearth/load']) await page.unroute(path);
    await look();
    await page.locator('.away').waitFor({ state: 'detached' });
    await page.locator('button[aria-label="Regenerate"]').click();
    await page.locator('.message.assistant .stats').waitFor();
    assert.equal(await page.locator('.message .error').count(), 0);
  },

  async 'an answer goes on while another conversation is shown'({ page, slow }) {
    await visit(page, slow);
    await page.keyboard.press('Alt+P');
    await page.locator('.panel .check input').check();
    await page.fill('#message', 'Tell me a story.');
    await page.keyboard.press('Enter');
    const length = () => page.evaluate(() => document.querySelector('.message.assistant .markdown')?.textContent.length ?? 0);
    await page.waitForFunction(() => (document.querySelector('.message.assistant .markdown')?.textContent ?? '').length > 5);
    const before = await length();
    await page.keyboard.press('Alt+N');
    await page.locator('.entry .date', { hasText: 'Writing' }).waitFor();
    assert.equal(await page.locator('.message').count(), 0);
    await page.waitForTimeout(500); // a busy machine writes nothing for a while
    await page.locator('.entry').click();
    await page.locator('.message.assistant').waitFor();
    await page.waitForFunction((n) => document.querySelector('.message.assistant .markdown').textContent.length > n, before, { timeout: 1000 });
    await page.focus('#message');
    await page.keyboard.press('Escape');
    await page.locator('.message.assistant .stats').waitFor();
    await page.reload();
    await page.locator('.message.assistant').waitFor();
    assert.ok((await length()) > before);
  },
};
