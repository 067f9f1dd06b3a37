// Writes dist/page_files.cpp: every file of dist/, compressed, as the server sends it (examples/server/page.h).
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { extname } from 'node:path';
import { constants, gzipSync } from 'node:zlib';

const kTypes = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};
const kMostBytes = 400_000; // of all files together, compressed

/** Packages that stand in the page, with their licenses: all but Vite, which only builds it. */
function licenses() {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const found = new Map();
  const visit = (names) => {
    for (const name of names) {
      const entry = packages[`node_modules/${name}`];
      if (found.has(name) || !entry) continue;
      const folder = `node_modules/${name}`;
      const file = readdirSync(folder).find((entry) => /^licen[sc]e/i.test(entry));
      found.set(name, `${name} ${entry.version} (${entry.license})\n\n${file ? readFileSync(`${folder}/${file}`, 'utf8').trim() : ''}\n`);
      visit(Object.keys(entry.dependencies ?? {}));
    }
  };
  visit(Object.keys(packages[''].dependencies).filter((name) => name !== 'vite'));
  return [...found.keys()].sort().map((name) => found.get(name)).join(`\n${'-'.repeat(80)}\n\n`);
}

const terms = licenses();
const termsName = `licenses-${createHash('sha256').update(terms).digest('hex').slice(0, 8)}.txt`;
writeFileSync(`dist/assets/${termsName}`, terms);
const html = readFileSync('dist/index.html', 'utf8');
writeFileSync('dist/index.html', html.replace('</head>', `<link rel="license" href="/assets/${termsName}">\n</head>`));

const names = ['index.html', ...readdirSync('dist/assets').sort().map((name) => `assets/${name}`)];
let sum = 0;
const entries = names.map((name) => {
  const type = kTypes[extname(name)];
  if (!type) throw new Error(`${name}: no media type is known for it`);
  const text = readFileSync(`dist/${name}`);
  const gzip = gzipSync(text, { level: constants.Z_BEST_COMPRESSION });
  const tag = createHash('sha256').update(text).digest('hex').slice(0, 32);
  const literal = Array.from(gzip, (byte) => '\\' + byte.toString(8).padStart(3, '0'));
  const lines = [];
  for (let i = 0; i < literal.length; i += 32) lines.push(`     "${literal.slice(i, i + 32).join('')}"`);
  sum += gzip.length;
  const path = name === 'index.html' ? '/' : `/${name}`;
  return `    {"${path}", "${type}", "\\"${tag}\\"",\n     std::string_view(\n${lines.join('\n')},\n     ${gzip.length})},\n`;
});
if (sum > kMostBytes) throw new Error(`the page has ${sum} bytes compressed, more than ${kMostBytes}`);

writeFileSync(
  'dist/page_files.cpp',
  `// Written by examples/page/embed.mjs: the page, ${sum} bytes compressed.
#include "page.h"

#if defined(__clang__)
#pragma clang diagnostic ignored "-Woverlength-strings"
#endif

namespace hearth_server {

std::span<const PageFile> page_files() {
  static constexpr PageFile kFiles[] = {
${entries.join('')}  };
  return kFiles;
}

}  // namespace hearth_server
`,
);
