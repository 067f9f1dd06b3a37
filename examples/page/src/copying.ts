// Copying text, and the copy buttons in what the model has written.
import { t } from './i18n';
import { say } from './state';

export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Plain HTTP from another machine has no clipboard; the older way still works there.
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'offscreen';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (!done) say(t('copy_failed'));
  return done;
}

/** A table as lines of cells with tabs between them, as spreadsheets take it. */
function tableText(table: HTMLTableElement): string {
  const cells = (row: HTMLTableRowElement) => Array.from(row.cells, (cell) => (cell.textContent ?? '').trim());
  return Array.from(table.rows, (row) => cells(row).join('\t')).join('\n');
}

/** Handles clicks on the copy buttons of code and tables. */
export function onContentClick(event: MouseEvent): void {
  const button = event.target instanceof Element ? event.target.closest<HTMLButtonElement>('button[data-copy]') : null;
  const block = button?.closest('.code, .table');
  if (!button || !block) return;
  const table = block.querySelector('table');
  const text = table ? tableText(table) : (block.querySelector('pre')?.textContent ?? '');
  void copyText(text).then((done) => {
    if (!done) return;
    button.textContent = t('copied');
    window.setTimeout(() => (button.textContent = t('copy')), 1500);
  });
}

/** Offers a text as a file. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name.replace(/[^\p{L}\p{N}._ -]+/gu, '_').slice(0, 100);
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10000);
}
