// Where messages are written and files attached.
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { send, stop } from './answers';
import { t } from './i18n';
import { Icon, IconButton } from './icons';
import { conversation, model, say } from './state';
import type { AttachedFile } from './types';

const kMostBytes = 1_000_000;

/** Takes what is text (UTF-8, no zero bytes); says what was not. */
async function readFiles(list: Iterable<File>): Promise<AttachedFile[]> {
  const files: AttachedFile[] = [];
  for (const file of list) {
    if (file.size > kMostBytes) {
      say(`${file.name} ${t('attached_large')}`);
      continue;
    }
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
      if (text.includes('\0')) throw new Error();
      files.push({ name: file.name, text });
    } catch {
      say(`${file.name} ${t('attached_binary')}`);
    }
  }
  return files;
}

export function Composer({ isRunning, onEditLast }: { isRunning: boolean; onEditLast: () => void }) {
  const area = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const text = useSignal('');
  const files = useSignal<AttachedFile[]>([]);
  const isOver = useSignal(false);
  const { id } = conversation.value;

  useLayoutEffect(() => {
    text.value = '';
    files.value = [];
    if (matchMedia('(pointer: fine)').matches) area.current?.focus();
  }, [id]);
  useLayoutEffect(() => {
    const box = area.current;
    if (!box) return;
    box.style.height = 'auto';
    box.style.height = `${Math.min(box.scrollHeight, innerHeight * 0.4)}px`;
  }, [text.value]);

  const add = async (list: Iterable<File>) => {
    files.value = [...files.value, ...(await readFiles(list))];
  };
  const submit = () => {
    if (isRunning || !model.value || (text.value.trim() === '' && files.value.length === 0)) return;
    send(text.value.trim(), files.value);
    text.value = '';
    files.value = [];
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === 'ArrowUp' && text.value === '') {
      event.preventDefault();
      onEditLast();
    }
  };
  const onPaste = (event: ClipboardEvent) => {
    const list = event.clipboardData?.files;
    if (!list || list.length === 0) return;
    event.preventDefault();
    void add(Array.from(list));
  };
  // Anywhere on the page: a file that is dropped beside the field would replace the page.
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const onOver = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      isOver.value = true;
    };
    const onLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) isOver.value = false;
    };
    const onDrop = (event: DragEvent) => {
      isOver.value = false;
      if (!hasFiles(event)) return;
      event.preventDefault();
      void add(Array.from(event.dataTransfer?.files ?? []));
    };
    addEventListener('dragover', onOver);
    addEventListener('dragleave', onLeave);
    addEventListener('drop', onDrop);
    return () => {
      removeEventListener('dragover', onOver);
      removeEventListener('dragleave', onLeave);
      removeEventListener('drop', onDrop);
    };
  }, []);

  return (
    <form
      class={`composer ${isOver.value ? 'over' : ''}`}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {files.value.length > 0 && (
        <ul class="attached">
          {files.value.map((file, index) => (
            <li>
              <span>{file.name}</span>
              <IconButton icon="close" label={`${t('remove')} ${file.name}`} onClick={() => (files.value = files.value.filter((_, i) => i !== index))} />
            </li>
          ))}
        </ul>
      )}
      <textarea
        id="message"
        ref={area}
        rows={1}
        aria-label={t('message')}
        placeholder={t('message_hint')}
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
      />
      <div class="row">
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            // A copy: the list empties with the field.
            void add(Array.from(event.currentTarget.files ?? []));
            event.currentTarget.value = '';
          }}
        />
        <IconButton icon="attach" label={t('attach')} onClick={() => picker.current?.click()} />
        <span class="spacer" />
        {isRunning ? (
          <button type="button" class="main round" aria-label={t('stop')} title={t('stop')} onClick={stop}>
            <Icon name="stop" />
          </button>
        ) : (
          <button type="submit" class="main round" aria-label={t('send')} title={t('send')} disabled={!model.value || (text.value.trim() === '' && files.value.length === 0)}>
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}
