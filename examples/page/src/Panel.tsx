// Everything that can be set for answers: sampling, context, cache, system prompt, schema, presets.
import { useSignal } from '@preact/signals';
import { t, type Word } from './i18n';
import { IconButton } from './icons';
import { jsonFault, kGroups, kNoSettings, kParameters, modelFields, type Parameter, type Settings } from './parameters';
import { change, changeParameter, changePresets, differs, failureText, load, model, panelShown, pendingLoad, presets, runs, say, server, settings } from './state';

/** What is used where nothing is set: the model's own, else the server's. */
function otherwise(name: string): string {
  const own = modelFields(model.value?.sampling ?? {})[name] ?? server.value?.sampling[name];
  return typeof own === 'number' ? String(Number(own.toPrecision(4))) : t('default');
}

function NumberField({ parameter }: { parameter: Parameter }) {
  const { name, min, max, step } = parameter;
  const value = settings.value.parameters[name];
  return (
    <label class="number">
      <span>
        <code>{name}</code>
      </span>
      <input
        type="number"
        {...(min === undefined ? {} : { min })}
        {...(max === undefined ? {} : { max })}
        step={step === 1 ? 1 : 'any'}
        placeholder={otherwise(name)}
        value={value ?? ''}
        onChange={(event) => {
          const { value: written, valueAsNumber } = event.currentTarget;
          const inRange = Math.min(Math.max(valueAsNumber, min ?? -Infinity), max ?? Infinity);
          changeParameter(name, written === '' ? undefined : inRange);
        }}
      />
    </label>
  );
}

type TextName = 'system' | 'schema' | 'grammar' | 'tools' | 'logitBias';

function TextField({ name, label, rows, kind, placeholder }: { name: TextName; label: Word; rows: number; kind?: 'object' | 'array'; placeholder?: string }) {
  const fault = kind ? jsonFault(settings.value[name], kind) : '';
  return (
    <label class="text">
      <span>{t(label)}</span>
      <textarea
        rows={rows}
        spellcheck={name === 'system'}
        placeholder={placeholder ?? ''}
        value={settings.value[name]}
        aria-invalid={fault !== ''}
        onInput={(event) => change({ [name]: event.currentTarget.value } as Partial<Settings>)}
      />
      {fault !== '' && (
        <span class="fault" role="status">
          {t('format_fault')} {fault}
        </span>
      )}
    </label>
  );
}

function LinesField({ name, label }: { name: 'stop' | 'dryBreakers'; label: Word }) {
  return (
    <label class="text">
      <span>{t(label)}</span>
      <textarea
        rows={2}
        spellcheck={false}
        value={settings.value[name].join('\n')}
        onChange={(event) => change({ [name]: event.currentTarget.value.split('\n').filter((line) => line !== '') } as Partial<Settings>)}
      />
    </label>
  );
}

function Presets() {
  const name = useSignal('');
  const names = Object.keys(presets.value).sort();
  const save = (event: Event) => {
    event.preventDefault();
    const written = name.value.trim();
    if (written === '') return;
    changePresets({ ...presets.value, [written]: settings.value });
    name.value = '';
  };
  return (
    <fieldset>
      <legend>{t('presets')}</legend>
      {names.length > 0 && (
        <ul class="presets">
          {names.map((entry) => (
            <li key={entry}>
              <button type="button" onClick={() => change(presets.value[entry] ?? kNoSettings)}>
                {entry}
              </button>
              <IconButton
                icon="close"
                label={`${t('delete')}: ${entry}`}
                onClick={() => changePresets(Object.fromEntries(Object.entries(presets.value).filter(([other]) => other !== entry)))}
              />
            </li>
          ))}
        </ul>
      )}
      <form class="row" onSubmit={save}>
        <input aria-label={t('preset_name')} placeholder={t('preset_name')} maxLength={100} value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
        <button type="submit" disabled={name.value.trim() === ''}>
          {t('overwrite')}
        </button>
      </form>
      <button type="button" onClick={() => change({ ...kNoSettings, model: settings.value.model })}>
        {t('reset')}
      </button>
    </fieldset>
  );
}

function Select(props: { label: Word; value: string; options: [string, string][]; onChange: (value: string) => void }) {
  return (
    <label class="number">
      <span>{t(props.label)}</span>
      <select value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        {props.options.map(([value, text]) => (
          <option value={value}>{text}</option>
        ))}
      </select>
    </label>
  );
}

/** Settings that take effect when the model is loaded. */
function Loading() {
  const chosen = model.value;
  const own = server.value?.load;
  const types = (type: string | undefined): [string, string][] => [['', `${type ?? ''} (${t('default')})`], ...(server.value?.kv_types ?? []).map((name): [string, string] => [name, name])];
  const drafts = chosen?.drafts ?? [];
  const isBusy = pendingLoad.value !== '' || Object.keys(runs.value).length > 0;
  return (
    <fieldset>
      <legend>{t('settings_load')}</legend>
      <label class="number">
        <span>{t('context')}</span>
        <input
          type="number"
          min={16}
          max={chosen?.context_train || undefined}
          step={1}
          placeholder={own && own.context > 0 ? String(own.context) : t('default')}
          value={settings.value.context > 0 ? settings.value.context : ''}
          onChange={(event) => {
            const { valueAsNumber } = event.currentTarget;
            change({ context: valueAsNumber >= 16 ? Math.floor(valueAsNumber) : 0 });
          }}
        />
      </label>
      <Select label="cache_k" value={settings.value.kType} options={types(own?.k_type)} onChange={(kType) => change({ kType })} />
      <Select label="cache_v" value={settings.value.vType} options={types(own?.v_type)} onChange={(vType) => change({ vType })} />
      {drafts.length > 0 && (
        <Select
          label="draft"
          value={settings.value.draft === 'none' || drafts.includes(settings.value.draft) ? settings.value.draft : ''}
          options={[['', t('default')], ['none', t('draft_none')], ...drafts.map((name): [string, string] => [name, name])]}
          onChange={(draft) => change({ draft })}
        />
      )}
      <p class="hint">{t('context_hint')}</p>
      {chosen?.loaded && differs(chosen, settings.value) && (
        <button type="button" class="main" disabled={isBusy} onClick={() => void load(chosen.name).catch((error: unknown) => say(failureText(error)))}>
          {t('reload_model')}
        </button>
      )}
    </fieldset>
  );
}

export function Panel() {
  const s = settings.value;
  return (
    <aside class="panel" aria-label={t('panel')}>
      <div class="row head">
        <h2>{t('panel')}</h2>
        <span class="spacer" />
        <IconButton icon="close" label={t('close')} onClick={() => (panelShown.value = false)} />
      </div>
      <TextField name="system" label="system" rows={4} placeholder={model.value?.system ?? ''} />
      <Presets />
      {kGroups.map((group) => {
        const rows = kParameters.filter((parameter) => parameter.group === group);
        const isSet = rows.some(({ name }) => s.parameters[name] !== undefined);
        return (
          <details class="group" open={group === 'usual' || isSet}>
            <summary>{t(`group_${group}`)}</summary>
            {rows.map((parameter) => (
              <NumberField key={parameter.name} parameter={parameter} />
            ))}
            {group === 'repetition' && <LinesField name="dryBreakers" label="dry_breakers" />}
          </details>
        );
      })}
      <fieldset>
        <legend>{t('role_assistant')}</legend>
        {model.value?.can_think && (
          <Select
            label="thinking"
            value={s.thinking}
            options={[
              ['', t('default')],
              ['on', t('thinking_on')],
              ['off', t('thinking_off')],
            ]}
            onChange={(thinking) => change({ thinking: thinking as Settings['thinking'] })}
          />
        )}
        <LinesField name="stop" label="stop_texts" />
        <TextField name="schema" label="schema" rows={3} kind="object" placeholder='{"type": "object", "properties": {…}}' />
        <TextField name="grammar" label="grammar" rows={2} placeholder='root ::= "yes" | "no"' />
        <TextField name="tools" label="tools" rows={3} kind="array" placeholder='[{"type": "function", "function": {"name": …}}]' />
        <TextField name="logitBias" label="logit_bias" rows={1} kind="object" placeholder='{"word": -1}' />
        <label class="check">
          <input type="checkbox" checked={s.ignoreEnd} onChange={(event) => change({ ignoreEnd: event.currentTarget.checked })} />
          <span>{t('ignore_end')}</span>
        </label>
      </fieldset>
      <Loading />
    </aside>
  );
}
