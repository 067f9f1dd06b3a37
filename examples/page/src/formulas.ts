// KaTeX, loaded when the first formula comes. It writes MathML, which browsers draw with the fonts they have.
import katex from 'katex';

/** MathML of a formula; undefined: it is wrong. */
export function formulaHtml(tex: string, display: boolean): string | undefined {
  let html: string;
  try {
    html = katex.renderToString(tex, {
      displayMode: display,
      output: 'mathml',
      strict: 'ignore',
      trust: false,
      maxExpand: 500,
      maxSize: 20,
    });
  } catch {
    return undefined;
  }
  // The source stands beside the formula for other programs; the sanitizer would leave it as text.
  return html.replace(/<annotation\b[^>]*>[^<]*<\/annotation>/g, '').replace(/<\/?semantics>/g, '');
}
