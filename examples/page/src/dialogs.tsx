// Windows over the page: models, keyboard, key, looks. <dialog> keeps the focus and closes at Escape by itself.
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { bytesText, kLanguages, language, numberText, secondsText, t, type Word } from './i18n';
import { IconButton } from './icons';
import { change, chooseLanguage, dialog, failureText, heads, load, model, pendingLoad, removeConversation, say, server, talkers, theme, unload, useKey, type Theme } from './state';
import type { Fit, ModelState } from './types';

function Window({ title, children }: { title: string; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    element.current?.showModal();
  }, []);
  return (
    <dialog
      ref={element}
      aria-label={title}
      onClose={() => (dialog.value = '')}
      onClick={(event) => event.target === element.current && element.current?.close()}
    >
      <div class="row head">
        <h2>{title}</h2>
        <span class="spacer" />
        <IconButton icon="close" label={t('close')} onClick={() => element.current?.close()} />
      </div>
      {children}
    </dialog>
  );
}

function fitText(fit: Fit): string {
  const speed = fit.tokens_per_second ? `, ≈ ${numberText(fit.tokens_per_second)} ${t('tokens_per_second')}` : '';
  if (fit.verdict === 'fits') return t('fit_yes') + speed;
  if (fit.verdict === 'too_large' || fit.verdict === 'too large') return t('fit_none');
  const how = [fit.context ? `${numberText(fit.context, 0)} ${t('tokens')}` : '', fit.kv_type ?? ''].filter(Boolean).join(', ');
  return `${t('fit_reduced')} ${how}${speed}`;
}

function ModelRow({ entry }: { entry: ModelState }) {
  const isChosen = model.value?.name === entry.name;
  const isLoading = entry.state === 'loading' || pendingLoad.value === entry.name;
  const facts = [entry.parameters, entry.quantization, bytesText(entry.bytes), entry.context_train > 0 ? `${numberText(entry.context_train, 0)} ${t('tokens')}` : ''];
  const { loaded } = entry;
  return (
    <li class={isChosen ? 'chosen' : ''}>
      <label>
        <input type="radio" name="model" autofocus={isChosen} checked={isChosen} onChange={() => change({ model: entry.name })} />
        <span class="model-text">
          <span class="model-name">{entry.name}</span>
          <span class="facts">{facts.filter(Boolean).join(' · ')}</span>
          {entry.fit && <span class={`fit ${entry.fit.verdict === 'fits' ? 'good' : entry.fit.verdict.startsWith('too') ? 'bad' : 'fair'}`}>{fitText(entry.fit)}</span>}
          {loaded && (
            <span class="facts">
              {t('loaded')}: {numberText(loaded.context, 0)} {t('tokens')}, {loaded.k_type}/{loaded.v_type}, {bytesText(loaded.bytes)}
              {loaded.draft !== undefined && `, ${t('draft')}: ${loaded.draft}`}
              {loaded.expires_in >= 0 && `, ${t('expires').replace('{}', secondsText(loaded.expires_in))}`}
            </span>
          )}
        </span>
      </label>
      {isLoading ? (
        <progress value={entry.progress} max={1} aria-label={`${t('loading')} ${entry.name}`} />
      ) : loaded ? (
        <button type="button" onClick={() => void unload(entry.name)}>
          {t('unload')}
        </button>
      ) : (
        <button
          type="button"
          disabled={pendingLoad.value !== ''}
          onClick={() => {
            change({ model: entry.name });
            void load(entry.name).catch((error: unknown) => say(failureText(error)));
          }}
        >
          {t('load')}
        </button>
      )}
    </li>
  );
}

function Models() {
  return (
    <Window title={t('models')}>
      {talkers.value.length === 0 ? (
        <p>{t('no_models')}</p>
      ) : (
        <ul class="models">
          {talkers.value.map((entry) => (
            <ModelRow key={entry.name} entry={entry} />
          ))}
        </ul>
      )}
      {server.value && (
        <p class="hint">
          {t('memory')}: {bytesText(server.value.memory.used)}, {t('memory_free')}: {bytesText(server.value.memory.available)} · hearth {server.value.version}
        </p>
      )}
    </Window>
  );
}

export const kKeys: [string[], Word][] = [
  [['Enter'], 'key_send'],
  [['Shift', 'Enter'], 'key_newline'],
  [['Esc'], 'key_stop'],
  [['↑'], 'key_edit_last'],
  [['Alt', 'N'], 'key_new'],
  [['Alt', 'F'], 'key_search'],
  [['Alt', 'M'], 'key_models'],
  [['Alt', 'P'], 'key_panel'],
];

function Keyboard() {
  return (
    <Window title={t('keyboard')}>
      <dl class="keys">
        {kKeys.map(([keys, word]) => (
          <div>
            <dt>
              {keys.map((key) => (
                <kbd>{key}</kbd>
              ))}
            </dt>
            <dd>{t(word)}</dd>
          </div>
        ))}
      </dl>
    </Window>
  );
}

function Key() {
  return (
    <Window title={t('api_key')}>
      <p>{t('api_key_asked')}</p>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          useKey(event.currentTarget.querySelector('input')?.value.trim() ?? '');
        }}
      >
        <input type="password" aria-label={t('api_key')} autocomplete="off" />
        <button type="submit" class="main">
          {t('apply')}
        </button>
      </form>
    </Window>
  );
}

/** Whose work the page stands on; the build writes the file. */
const kLicenses = document.querySelector<HTMLLinkElement>('link[rel=license]')?.href;

function Options() {
  const themes: [Theme, Word][] = [
    ['auto', 'theme_auto'],
    ['light', 'theme_light'],
    ['dark', 'theme_dark'],
  ];
  const removeAll = async () => {
    if (!confirm(t('delete_all_sure'))) return;
    for (const { id } of heads.value) await removeConversation(id);
  };
  return (
    <Window title={`${t('theme')}, ${t('language')}`}>
      <fieldset class="choices">
        <legend>{t('theme')}</legend>
        {themes.map(([id, word]) => (
          <label>
            <input type="radio" name="theme" checked={theme.value === id} onChange={() => (theme.value = id)} />
            <span>{t(word)}</span>
          </label>
        ))}
      </fieldset>
      <fieldset class="choices">
        <legend>{t('language')}</legend>
        {kLanguages.map(({ id, name }) => (
          <label>
            <input type="radio" name="language" checked={language.value === id} onChange={() => chooseLanguage(id)} />
            <span lang={id}>{name}</span>
          </label>
        ))}
      </fieldset>
      <div class="row">
        <button type="button" onClick={() => (dialog.value = 'key')}>
          {t('api_key')}
        </button>
        <button type="button" onClick={() => void removeAll()}>
          {t('delete_all')}
        </button>
      </div>
      {kLicenses && (
        <p class="hint">
          <a href={kLicenses} target="_blank" rel="noopener">
            {t('licenses')}
          </a>
        </p>
      )}
    </Window>
  );
}

export function Dialogs() {
  switch (dialog.value) {
    case 'models':
      return <Models key="models" />;
    case 'keyboard':
      return <Keyboard key="keyboard" />;
    case 'key':
      return <Key key="key" />;
    case 'options':
      return <Options key="options" />;
    default:
      return null;
  }
}
