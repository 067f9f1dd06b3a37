// Runs the tests of the page: node tests/run.mjs [WORD ...] runs those whose name holds a word.
import { tests as hostile } from './hostile.mjs';
import { tests as looks } from './looks.mjs';
import { tests as page } from './page.mjs';
import { modelFolder, startBrowser, startServer, startSlowServer, visit } from './server.mjs';

const kLimit = 30_000; // of a test, in milliseconds
const words = process.argv.slice(2);
const chosen = Object.entries({ ...page, ...hostile, ...looks }).filter(([name]) => words.length === 0 || words.some((word) => name.includes(word)));

const server = await startServer('--models', modelFolder);
// A context far beyond that of the little models: an answer takes a minute or more. One thread leaves the browser room.
const slow = await startSlowServer('--models', modelFolder, '-c', '8192', '-t', '1');
const keyed = await startServer('--models', modelFolder, '--api-key', 'secret');
const bare = await startServer();
const browser = await startBrowser();
let failed = 0;
// Whether a test passes. A busy machine may take longer than a test waits, so one that fails is run once more.
async function passes(name, test) {
  const context = await browser.newContext({ locale: 'en', viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(15_000);
  const tab = await context.newPage();
  const faults = [];
  tab.on('pageerror', (error) => faults.push(error.message));
  const start = performance.now();
  let outcome = 'ok';
  try {
    await visit(tab, server);
    await Promise.race([
      test({ page: tab, context, url: server.url, slow, keyed, bare }),
      new Promise((_, reject) => setTimeout(() => reject(new Error(`took longer than ${kLimit / 1000} s`)), kLimit).unref()),
    ]);
    if (faults.length > 0) throw new Error(`errors in the page: ${faults.join('; ')}`);
  } catch (error) {
    outcome = `FAILED ${faults.join('; ')}\n    ${String(error.stack ?? error).replaceAll('\n', '\n    ')}`;
    if (process.env.SHOTS) await tab.screenshot({ path: `${process.env.SHOTS}/${name.replace(/\W+/g, '_')}.png` }).catch(() => {});
  }
  console.log(`${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s  ${name}: ${outcome}`);
  await tab.unrouteAll({ behavior: 'ignoreErrors' }); // requests in flight end with the page
  await context.close();
  return outcome === 'ok';
}
for (const [name, test] of chosen) {
  if (!(await passes(name, test)) && !(await passes(name, test))) ++failed;
}
await browser.close();
server.stop();
slow.stop();
keyed.stop();
bare.stop();
console.log(failed === 0 ? `all ${chosen.length} tests passed` : `${failed} of ${chosen.length} tests FAILED`);
process.exit(failed === 0 ? 0 : 1);
