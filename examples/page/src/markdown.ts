// Markdown to HTML that may be shown. What a model writes is hostile: HTML in it is text (markdown-it escapes it), links
// are web addresses, pictures are shown as links (loading one would tell its server), and whatever comes out of all
// libraries goes through DOMPurify, whose Trusted Types policy is the only one that the page's headers allow.
import { signal } from '@preact/signals';
import DOMPurify from 'dompurify';
import MarkdownIt from 'markdown-it';
import type { TrustedHTML } from 'trusted-types/lib';
import { t } from './i18n';
import { addMathRules } from './math_rules';

type Renderers = {
  formula?: (tex: string, display: boolean) => string | undefined;
  code?: (code: string, language: string) => string | undefined;
};
const renderers: Renderers = {};
/** Counts up when a library has come, so that what waited for it is shown anew. */
export const rendererVersion = signal(0);

const loading = new Set<string>();
function need(name: keyof Renderers): void {
  if (loading.has(name)) return;
  loading.add(name);
  const arrived = () => ++rendererVersion.value;
  const failed = () => loading.delete(name);
  if (name === 'formula') import('./formulas').then((m) => ((renderers.formula = m.formulaHtml), arrived()), failed);
  if (name === 'code') import('./highlight').then((m) => ((renderers.code = m.codeHtml), arrived()), failed);
}

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: false, typographer: false });
addMathRules(markdown);
const escape = markdown.utils.escapeHtml;

/** Web addresses and mail; no javascript:, data:, file:. */
markdown.validateLink = (url) => /^(https?:|mailto:|#)/i.test(url.trim());

markdown.renderer.rules.fence = (tokens, index) => {
  const token = tokens[index]!;
  return codeBlock(token.content, token.info.trim().split(/\s+/)[0] ?? '');
};
markdown.renderer.rules.code_block = (tokens, index) => codeBlock(tokens[index]!.content, '');
markdown.renderer.rules.image = (tokens, index) => {
  const token = tokens[index]!;
  const url = String(token.attrGet('src') ?? '');
  return `<a href="${escape(url)}" target="_blank" rel="noopener noreferrer nofollow">${escape(token.content || url)}</a>`;
};
markdown.renderer.rules.link_open = (tokens, index, options, _env, self) => {
  tokens[index]!.attrSet('target', '_blank');
  tokens[index]!.attrSet('rel', 'noopener noreferrer nofollow');
  return self.renderToken(tokens, index, options);
};
markdown.renderer.rules.table_open = () =>
  `<div class="table"><div class="scroll" tabindex="0" role="region" aria-label="${escape(t('table'))}"><table>`;
markdown.renderer.rules.table_close = () => `</table></div><div class="bar">${copyButton()}</div></div>`;
// Alignment as a class: a style attribute would be refused.
for (const cell of ['th_open', 'td_open']) {
  markdown.renderer.rules[cell] = (tokens, index, options, _env, self) => {
    const token = tokens[index]!;
    const side = /text-align:(\w+)/.exec(String(token.attrGet('style') ?? ''))?.[1];
    token.attrs = side ? [['class', `to-${side}`]] : null;
    return self.renderToken(tokens, index, options);
  };
}
markdown.renderer.rules.formula = markdown.renderer.rules.formula_block = (tokens, index) => {
  const { content, meta } = tokens[index]!;
  const display = (meta as { display: boolean }).display;
  if (!renderers.formula) need('formula');
  const html = renderers.formula?.(content, display) ?? `<code>${escape(content)}</code>`;
  return display ? `<div class="formula">${html}</div>` : html;
};

function copyButton(): string {
  return `<button type="button" class="copy" data-copy>${escape(t('copy'))}</button>`;
}

function codeBlock(code: string, language: string): string {
  let html = escape(code);
  if (language !== '') {
    if (renderers.code) html = renderers.code(code, language.toLowerCase()) ?? html;
    else need('code');
  }
  return (
    `<div class="code"><div class="bar"><span>${escape(language)}</span>${copyButton()}</div>` +
    `<pre tabindex="0"><code>${html}</code></pre></div>`
  );
}

const kSafe = {
  USE_PROFILES: { html: true, mathMl: true },
  FORBID_TAGS: ['style', 'form', 'input', 'textarea', 'select', 'option', 'img', 'picture', 'source', 'audio', 'video', 'dialog'],
  FORBID_ATTR: ['style', 'id', 'name', 'autofocus', 'popover', 'popovertarget', 'srcset', 'src', 'background', 'action'],
  ADD_ATTR: ['target'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: true,
  // Also asked of attributes that are no addresses: what has no protocol passes, as by default.
  ALLOWED_URI_REGEXP: /^(?:(?:https?|mailto):|[^a-z]|[a-z+.-]+(?:[^a-z+.:-]|$))/i,
  RETURN_TRUSTED_TYPE: true,
} as const;
// The one attribute of ours: what copies.
DOMPurify.addHook('uponSanitizeAttribute', (node, data) => {
  if (data.attrName === 'data-copy' && node.nodeName === 'BUTTON') data.forceKeepAttr = true;
});

export function sanitize(html: string): TrustedHTML {
  return DOMPurify.sanitize(html, kSafe as never) as unknown as TrustedHTML;
}

/** A paragraph, a list, a table ...: shown anew only when its source changes, which matters while text streams in. */
export interface Block {
  source: string;
  html: TrustedHTML;
}

const cache = new Map<string, Block>();
const kMostCached = 2000;

/** The top-level blocks of a text. */
export function renderBlocks(written: string): Block[] {
  const text = written.replace(/\r\n?/g, '\n');
  const env = {};
  const tokens = markdown.parse(text, env);
  const lines = text.split('\n');
  const blocks: Block[] = [];
  for (let first = 0; first < tokens.length; ) {
    let last = first;
    for (let depth = tokens[first]!.nesting; depth > 0 && last + 1 < tokens.length; ) depth += tokens[++last]!.nesting;
    const [from, to] = tokens[first]!.map ?? [0, lines.length];
    const source = `${rendererVersion.value}\n${lines.slice(from, to).join('\n')}`;
    const references = Object.keys((env as { references?: object }).references ?? {}).length > 0;
    let block = references ? undefined : cache.get(source);
    if (!block) {
      block = { source, html: sanitize(markdown.renderer.render(tokens.slice(first, last + 1), markdown.options, env)) };
      if (cache.size >= kMostCached) cache.clear();
      if (!references) cache.set(source, block);
    }
    blocks.push(block);
    first = last + 1;
  }
  return blocks;
}
