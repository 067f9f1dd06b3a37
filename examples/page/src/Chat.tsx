// The conversation that is shown: its messages, in order, and the place that follows the answer as it grows.
import { useSignal } from '@preact/signals';
import { useCallback, useLayoutEffect, useRef } from 'preact/hooks';
import { Composer } from './Composer';
import { openCalls, pathOf, siblingsOf } from './conversations';
import { t } from './i18n';
import { Icon } from './icons';
import { Message } from './Message';
import { conversation, runs, server, talkers } from './state';

/** So near to the end counts as at the end, in pixels. */
const kNear = 80;

export function Chat() {
  const scroller = useRef<HTMLDivElement>(null);
  const isAtEnd = useSignal(true);
  const editing = useSignal<string | null>(null);
  const shown = conversation.value;
  const path = pathOf(shown);
  const run = runs.value[shown.id];
  const setEditing = useCallback((id: string | null) => (editing.value = id), []);

  const toEnd = () => {
    const box = scroller.current;
    if (box) box.scrollTop = box.scrollHeight;
  };
  // Follows the text while the reader is at the end.
  useLayoutEffect(() => {
    if (isAtEnd.peek()) toEnd();
  });
  useLayoutEffect(() => {
    isAtEnd.value = true;
    editing.value = null;
    toEnd();
  }, [shown.id]);
  const onScroll = () => {
    const box = scroller.current;
    if (box) isAtEnd.value = box.scrollHeight - box.scrollTop - box.clientHeight < kNear;
  };
  const editLast = () => {
    const last = [...path].reverse().find((node) => node.role === 'user');
    if (last && !run) editing.value = last.id;
  };

  return (
    <main class="chat">
      <div class="messages" ref={scroller} onScroll={onScroll} tabIndex={0} role="log" aria-label={t('messages')} aria-live="off">
        {path.length === 0 ? (
          <div class="empty">
            <h1>{t('empty_title')}</h1>
            <p>{server.value && talkers.value.length === 0 ? t('no_models') : t('empty_hint')}</p>
          </div>
        ) : (
          path.map((node, index) => {
            const all = siblingsOf(shown, node);
            return (
              <Message
                key={node.id}
                node={node}
                place={all.findIndex(({ id }) => id === node.id)}
                branches={all.length}
                isLast={index + 1 === path.length}
                openCalls={node.calls ? openCalls(path, index).map(({ id }) => id).join('\n') : ''}
                isRunning={run?.node === node.id}
                isWaiting={run?.node === node.id && run.isWaiting}
                progress={run?.node === node.id ? run.progress : undefined}
                isBusy={run !== undefined}
                isEditing={editing.value === node.id}
                onEdit={setEditing}
              />
            );
          })
        )}
      </div>
      {!isAtEnd.value && path.length > 0 && (
        <button type="button" class="to-end" aria-label={t('to_end')} title={t('to_end')} onClick={toEnd}>
          <Icon name="down" />
        </button>
      )}
      <div class="offscreen" role="status">
        {run ? t('working') : ''}
      </div>
      <Composer isRunning={run !== undefined} onEditLast={editLast} />
    </main>
  );
}
