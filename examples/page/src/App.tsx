// The whole page: list, conversation, panel, and the keys that work everywhere.
import { useEffect } from 'preact/hooks';
import { isRunning, stop } from './answers';
import { Chat } from './Chat';
import { Dialogs } from './dialogs';
import { bytesText, numberText, t } from './i18n';
import { Icon, IconButton } from './icons';
import { List } from './List';
import { Panel } from './Panel';
import { conversation, dialog, isAway, kWide, listShown, model, notice, panelShown, pendingLoad, server, startConversation, talkers } from './state';

function onKeyDown(event: KeyboardEvent): void {
  if (event.isComposing || dialog.value !== '') return;
  if (event.key === 'Escape') {
    if (isRunning()) stop();
    else if (panelShown.value) panelShown.value = false;
    else if (!matchMedia(kWide).matches) listShown.value = false;
    return;
  }
  // event.code: with Alt some layouts give another letter.
  if (!event.altKey || event.ctrlKey || event.metaKey) return;
  const actions: Record<string, () => void> = {
    KeyN: startConversation,
    KeyF: () => {
      listShown.value = true;
      requestAnimationFrame(() => document.getElementById('search')?.focus());
    },
    KeyM: () => (dialog.value = 'models'),
    KeyP: () => (panelShown.value = !panelShown.value),
  };
  const action = actions[event.code];
  if (!action) return;
  event.preventDefault();
  action();
}

function ModelButton() {
  const chosen = model.value;
  const isLoading = chosen?.state === 'loading' || (pendingLoad.value !== '' && pendingLoad.value === chosen?.name);
  const others = talkers.value.length > 0 ? t('no_model') : t('loading');
  return (
    <button type="button" class="model-button" onClick={() => (dialog.value = 'models')} aria-haspopup="dialog" title={t('models')}>
      <Icon name="model" />
      <span class="model-name">{chosen?.name ?? (server.value ? t('no_model') : others)}</span>
      {isLoading ? (
        <progress {...(chosen?.state === 'loading' ? { value: chosen.progress } : {})} max={1} aria-label={t('loading')} />
      ) : (
        chosen?.state === 'loaded' && <span class="dot" title={t('loaded')} />
      )}
    </button>
  );
}

function Figures() {
  const loaded = model.value?.loaded;
  if (!server.value) return null;
  const asked = loaded ? loaded.prompt_tokens + loaded.cached_tokens : 0;
  return (
    <span class="figures">
      {t('memory')} {bytesText(server.value.memory.used)}
      {loaded && asked > 0 && ` · ${numberText((100 * loaded.cached_tokens) / asked, 0)} % ${t('cache')}`}
    </span>
  );
}

export function App() {
  const { title } = conversation.value;
  useEffect(() => {
    document.title = title === '' ? 'hearth' : `${title} – hearth`;
  }, [title]);
  useEffect(() => {
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, []);
  return (
    <>
      <a class="skip" href="#message" onClick={(event) => (event.preventDefault(), document.getElementById('message')?.focus())}>
        {t('skip')}
      </a>
      <header class="top">
        <IconButton icon="menu" label={t('conversations')} pressed={listShown.value} onClick={() => (listShown.value = !listShown.value)} />
        <ModelButton />
        <span class="spacer" />
        <Figures />
        <IconButton icon="plus" label={t('new_conversation')} onClick={startConversation} />
        <IconButton icon="sliders" label={t('panel')} pressed={panelShown.value} onClick={() => (panelShown.value = !panelShown.value)} />
      </header>
      {isAway.value && (
        <p class="away" role="alert">
          {t('connection_lost')}
        </p>
      )}
      <div class="body">
        {listShown.value && <List />}
        <Chat />
        {panelShown.value && <Panel />}
      </div>
      <div class="notice" role="status">
        {notice.value}
      </div>
      <Dialogs />
    </>
  );
}
