// Formulas in Markdown: $…$, $$…$$, \(…\) and \[…\], as models write them.
import type { MarkdownIt, StateBlock, StateInline } from 'markdown-it';

const kPairs = [
  { open: '$$', close: '$$', display: true },
  { open: '\\[', close: '\\]', display: true },
  { open: '\\(', close: '\\)', display: false },
  { open: '$', close: '$', display: false },
];

/** Where `close` stands in the text from `at` on, not behind a backslash; -1: nowhere. */
function findClose(text: string, close: string, at: number): number {
  for (let end = text.indexOf(close, at); end >= 0; end = text.indexOf(close, end + 1)) {
    let slashes = 0;
    while (text[end - 1 - slashes] === '\\') ++slashes;
    if (slashes % 2 === 0) return end;
  }
  return -1;
}

function inlineFormula(state: StateInline, silent: boolean): boolean {
  const text = state.src;
  const pair = kPairs.find((candidate) => text.startsWith(candidate.open, state.pos));
  if (!pair) return false;
  const begin = state.pos + pair.open.length;
  const end = findClose(text, pair.close, begin);
  if (end < 0 || end === begin) return false;
  const tex = text.slice(begin, end);
  // "from $5 to $10" is no formula: no blanks inside the marks, no digit behind them (as Pandoc has it).
  if (pair.open === '$' && (/^\s|\s$/.test(tex) || /\d/.test(text[end + 1] ?? '') || tex.includes('\n\n'))) return false;
  if (!silent) {
    const token = state.push('formula', 'math', 0);
    token.content = tex.trim();
    token.meta = { display: pair.display };
  }
  state.pos = end + pair.close.length;
  return true;
}

/** A formula on lines of its own, which may hold empty lines. */
function blockFormula(state: StateBlock, startLine: number, endLine: number, silent: boolean): boolean {
  const lineAt = (line: number) => state.src.slice(state.bMarks[line]! + state.tShift[line]!, state.eMarks[line]!);
  const first = lineAt(startLine);
  const pair = kPairs.find((candidate) => candidate.display && first.startsWith(candidate.open));
  if (!pair || state.sCount[startLine]! - state.blkIndent >= 4) return false;
  const lines: string[] = [];
  for (let line = startLine; line < endLine; ++line) {
    const text = line === startLine ? first.slice(pair.open.length) : lineAt(line);
    const end = findClose(text, pair.close, 0);
    if (end < 0) {
      lines.push(text);
      continue;
    }
    if (text.slice(end + pair.close.length).trim() !== '') return false;
    if (silent) return true;
    lines.push(text.slice(0, end));
    const token = state.push('formula_block', 'math', 0);
    token.content = lines.join('\n').trim();
    token.meta = { display: true };
    token.map = [startLine, line + 1];
    state.line = line + 1;
    return true;
  }
  return false;
}

/** Adds the tokens `formula` and `formula_block`; who renders them is the caller's matter. */
export function addMathRules(markdown: MarkdownIt): void {
  markdown.inline.ruler.before('escape', 'formula', inlineFormula);
  markdown.block.ruler.before('fence', 'formula_block', blockFormula, { alt: ['paragraph', 'reference', 'blockquote', 'list'] });
}
