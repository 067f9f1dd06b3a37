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
};
const kMostBytes = 400_000; // of all files together, compressed

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
