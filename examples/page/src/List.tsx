// The list of conversations: search, rename, delete, export, import.
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { readExport, toMarkdown, type ExportFile } from './conversations';
import { download } from './copying';
import { dateText, t } from './i18n';
import { IconButton, Icon } from './icons';
import { changePresets, conversation, conversationById, dialog, heads, list, openConversation, presets, query, removeConversation, renameConversation, runs, say, startConversation } from './state';
import * as storage from './storage';
import type { Conversation, ConversationHead } from './types';

function exportFile(conversations: Conversation[], name: string): void {
  const file: ExportFile = { format: 'hearth-conversations', version: 1, conversations, presets: presets.value };
  download(`${name}.json`, 'application/json', JSON.stringify(file, null, 1));
}

export async function exportAll(): Promise<void> {
  exportFile(await storage.allConversations(), 'hearth');
}

export async function importFile(file: File): Promise<void> {
  const found = readExport(await file.text());
  if (!found) return say(t('import_failed'));
  for (const entry of found.conversations) {
    const own = await storage.loadConversation(entry.id);
    if (!own || own.updated < entry.updated) await storage.saveConversation(entry); // what is newer here stays
  }
  changePresets({ ...found.presets, ...presets.value });
  await list();
  say(`${t('import_done')} ${found.conversations.length}`);
}

function Entry({ head }: { head: ConversationHead }) {
  const isRenaming = useSignal(false);
  const title = head.title || t('untitled');
  const isShown = conversation.value.id === head.id;
  const find = async () => conversationById(head.id) ?? (await storage.loadConversation(head.id));
  const rename = (event: Event) => {
    event.preventDefault();
    isRenaming.value = false;
    const text = (event.currentTarget as HTMLElement).querySelector('input')?.value.trim();
    if (text) void renameConversation(head.id, text);
  };
  if (isRenaming.value) {
    return (
      <li>
        <form onSubmit={rename} onFocusOut={rename} onKeyDown={(event) => event.key === 'Escape' && (event.stopPropagation(), (isRenaming.value = false))}>
          <input aria-label={t('rename')} ref={(input) => input?.focus()} defaultValue={head.title} maxLength={200} />
        </form>
      </li>
    );
  }
  return (
    <li class={isShown ? 'shown' : ''}>
      <button type="button" class="entry" aria-current={isShown ? 'true' : undefined} onClick={() => void openConversation(head.id)}>
        <span class="title">{title}</span>
        <span class="date">{runs.value[head.id] ? t('working') : dateText(head.updated)}</span>
      </button>
      {isShown && (
        <span class="entry-buttons">
          <IconButton icon="edit" label={`${t('rename')}: ${title}`} onClick={() => (isRenaming.value = true)} />
          <IconButton icon="export" label={`${t('export')}: ${title}`} onClick={() => void find().then((found) => found && exportFile([found], title))} />
          <IconButton
            icon="copy"
            label={`${t('export_markdown')}: ${title}`}
            onClick={() => void find().then((found) => found && download(`${title}.md`, 'text/markdown', toMarkdown(found)))}
          />
          <IconButton icon="trash" label={`${t('delete')}: ${title}`} onClick={() => confirm(t('delete_sure')) && void removeConversation(head.id)} />
        </span>
      )}
    </li>
  );
}

export function List() {
  const picker = useRef<HTMLInputElement>(null);
  const timer = useRef(0);
  const search = (text: string) => {
    query.value = text;
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => void list(), 150);
  };
  return (
    <nav class="list" aria-label={t('list')}>
      <button type="button" class="new" onClick={startConversation}>
        <Icon name="plus" /> {t('new_conversation')}
      </button>
      <input id="search" type="search" aria-label={t('search')} placeholder={t('search')} value={query.value} onInput={(event) => search(event.currentTarget.value)} />
      {heads.value.length === 0 ? (
        <p class="none">{query.value === '' ? t('no_conversations') : t('no_result')}</p>
      ) : (
        <ul>
          {heads.value.map((head) => (
            <Entry key={head.id} head={head} />
          ))}
        </ul>
      )}
      <div class="row foot">
        <input ref={picker} type="file" accept=".json,application/json" hidden onChange={(event) => {
            const [file] = event.currentTarget.files ?? [];
            if (file) void importFile(file);
            event.currentTarget.value = '';
          }}
        />
        <IconButton icon="import" label={t('import')} onClick={() => picker.current?.click()} />
        <IconButton icon="export" label={t('export_all')} onClick={() => void exportAll()} />
        <span class="spacer" />
        <IconButton icon="keyboard" label={t('keyboard')} onClick={() => (dialog.value = 'keyboard')} />
        <IconButton icon="options" label={`${t('theme')}, ${t('language')}`} onClick={() => (dialog.value = 'options')} />
      </div>
    </nav>
  );
}
