// A hearth serve for the tests, and a browser that looks at it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../../..', import.meta.url));
export const smallWorld = 'small-world-q8_0';
export const otherModel = 'small-world-draft-q8_0';

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

export const modelFolder = `${root}/examples/models`;

/** Starts the tool for a user who has no models of his own; resolves when it answers. */
export const startServer = (...options) => start({}, options);
/** The same with kernels of plain C++: 150 tokens a second where others write thousands, so that there is time to stop it. */
export const startSlowServer = (...options) => start({ HEARTH_ISA: 'scalar' }, options);

async function start(environment, options) {
  const tool = process.env.HEARTH_TOOL ?? `${root}/build/hearth`;
  if (!existsSync(tool)) throw new Error(`${tool}: build it first, or name it in HEARTH_TOOL`);
  const port = await freePort();
  const home = mkdtempSync(join(tmpdir(), 'hearth-page-'));
  const { PATH } = process.env;
  const child = spawn(tool, ['serve', '--port', String(port), '--log-level', 'error', ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH, HOME: home, ...environment },
    cwd: home,
  });
  let said = '';
  child.stderr.on('data', (text) => (said += text));
  const url = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 200; ++i) {
    if (child.exitCode !== null) throw new Error(`${tool} has ended: ${said}`);
    const answer = await fetch(`${url}/health`).catch(() => undefined);
    if (answer?.ok) return { url, stop: () => (child.kill('SIGTERM'), rmSync(home, { recursive: true })) };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the server does not answer');
}

/** Opens the page of a server, and waits for its model. */
export async function visit(page, { url }) {
  await page.goto(url);
  await page.locator('.model-button', { hasText: 'small-world' }).waitFor();
}

export async function startBrowser() {
  const names = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const executablePath = names.find((name) => name && existsSync(name));
  if (!executablePath) throw new Error('there is no chromium here (name it in CHROMIUM)');
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--lang=en'] });
}
