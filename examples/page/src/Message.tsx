// One message: its text, reasoning, calls of tools, and the buttons below it.
import { memo } from 'preact/compat';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { answerCall, edit, goOn, regenerate, remove, showBranch } from './answers';
import { copyText, onContentClick } from './copying';
import { numberText, secondsText, t } from './i18n';
import { Icon, IconButton } from './icons';
import { renderBlocks, rendererVersion, type Block } from './markdown';
import { say } from './state';
import type { AnswerStats, MessageNode, ToolCall } from './types';

const BlockView = memo(
  function BlockView({ block }: { block: Block }) {
    // eslint-disable-next-line react/no-danger -- TrustedHTML from the sanitizer
    return <div class="block" dangerouslySetInnerHTML={{ __html: block.html as unknown as string }} />;
  },
  (a, b) => a.block.source === b.block.source,
);

export function Markdown({ text }: { text: string }) {
  void rendererVersion.value;
  return (
    <div class="markdown" onClick={onContentClick}>
      {renderBlocks(text).map((block, index) => (
        <BlockView key={index} block={block} />
      ))}
    </div>
  );
}

function Reasoning({ text, isRunning }: { text: string; isRunning: boolean }) {
  return (
    <details class="fold">
      <summary>{isRunning ? t('reasoning_running') : t('reasoning')}</summary>
      <Markdown text={text} />
    </details>
  );
}

function prettyJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function CallView({ node, call, canAnswer }: { node: MessageNode; call: ToolCall; canAnswer: boolean }) {
  const [result, setResult] = useState('');
  return (
    <div class="call">
      <div class="call-name">
        {t('tool_call')} <code>{call.name}</code>
      </div>
      <pre tabIndex={0}>{prettyJson(call.arguments)}</pre>
      {canAnswer && (
        <form
          class="call-answer"
          onSubmit={(event) => {
            event.preventDefault();
            answerCall(node, call, result);
          }}
        >
          <textarea rows={2} aria-label={t('tool_result')} placeholder={t('tool_result')} value={result} onInput={(event) => setResult(event.currentTarget.value)} />
          <button type="submit">{t('answer_call')}</button>
        </form>
      )}
    </div>
  );
}

function Files({ node }: { node: MessageNode }) {
  return (
    <>
      {(node.files ?? []).map((file) => (
        <details class="fold file">
          <summary>{file.name}</summary>
          <pre tabIndex={0}>{file.text}</pre>
        </details>
      ))}
    </>
  );
}

function StatsLine({ stats, model }: { stats: AnswerStats; model: string | undefined }) {
  const cached = stats.promptTokens > 0 ? Math.round((100 * stats.cachedTokens) / stats.promptTokens) : 0;
  const parts = [
    model ?? '',
    `${numberText(stats.tokens, 0)} ${t('tokens')}`,
    `${numberText(stats.tokensPerSecond)} ${t('tokens_per_second')}`,
    `${secondsText(stats.firstToken)} ${t('first_token')}`,
    `${cached} % ${t('cache')}`,
  ];
  if (stats.drafted) parts.push(`${stats.accepted ?? 0}/${stats.drafted} ${t('guesses')}`);
  if (stats.finish === 'length') parts.push(t('length_reached'));
  return <p class="stats">{parts.filter(Boolean).join(' · ')}</p>;
}

function Editor({ node, onDone }: { node: MessageNode; onDone: () => void }) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(node.content);
  // With the field itself, not a frame later: a caret that is set after the first letter would put the rest elsewhere.
  useLayoutEffect(() => {
    area.current?.focus();
    area.current?.setSelectionRange(text.length, text.length);
  }, []);
  const save = () => {
    onDone();
    if (text.trim() !== '') edit(node, text);
  };
  return (
    <form
      class="editor"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
      onKeyDown={(event) => {
        if (event.isComposing) return;
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save();
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        onDone();
      }}
    >
      <textarea ref={area} aria-label={t('edit')} rows={Math.min(12, text.split('\n').length + 1)} value={text} onInput={(event) => setText(event.currentTarget.value)} />
      <div class="row">
        <button type="submit" class="main">
          {node.role === 'assistant' ? t('save') : t('send')}
        </button>
        <button type="button" onClick={onDone}>
          {t('cancel')}
        </button>
      </div>
    </form>
  );
}

export interface MessageProps {
  node: MessageNode;
  /** Its place among the branches, from 0, and how many there are. */
  place: number;
  branches: number;
  isLast: boolean;
  /** Ids of the calls that wait for results, with line breaks between them. */
  openCalls: string;
  isRunning: boolean;
  isWaiting: boolean;
  progress: number | undefined;
  isBusy: boolean;
  isEditing: boolean;
  onEdit: (id: string | null) => void;
}

function Buttons(props: MessageProps) {
  const { node, place, branches, isBusy, isLast } = props;
  const copy = () => void copyText(node.content).then((done) => done && say(t('copied')));
  const canGoOn = node.role === 'assistant' && isLast && !node.calls && (node.stopped || node.stats?.finish === 'length') && node.content !== '';
  return (
    <div class="buttons">
      {branches > 1 && (
        <span class="branches">
          <IconButton icon="left" label={t('branch_previous')} onClick={() => showBranch(node, -1)} disabled={isBusy || place === 0} />
          <span aria-label={`${t('branch')} ${place + 1} / ${branches}`}>
            {place + 1}/{branches}
          </span>
          <IconButton icon="right" label={t('branch_next')} onClick={() => showBranch(node, 1)} disabled={isBusy || place + 1 === branches} />
        </span>
      )}
      <IconButton icon="copy" label={t('copy')} onClick={copy} />
      <IconButton icon="edit" label={t('edit')} onClick={() => props.onEdit(node.id)} disabled={isBusy} />
      {node.role === 'assistant' && <IconButton icon="redo" label={t('regenerate')} onClick={() => regenerate(node)} disabled={isBusy} />}
      {canGoOn && <IconButton icon="forward" label={t('continue')} onClick={() => goOn(node)} disabled={isBusy} />}
      <IconButton icon="trash" label={t('delete_message')} onClick={() => remove(node)} disabled={isBusy} />
    </div>
  );
}

export const Message = memo(
  function Message(props: MessageProps) {
    const { node, isRunning, isWaiting, isEditing } = props;
    const name = t(node.role === 'user' ? 'role_user' : node.role === 'tool' ? 'role_tool' : 'role_assistant');
    const isReasoning = isRunning && node.content === '';
    return (
      <article class={`message ${node.role}`} aria-label={name} aria-busy={isRunning}>
        <h2 class="who">{name}</h2>
        <Files node={node} />
        {node.reasoning && <Reasoning text={node.reasoning} isRunning={isReasoning} />}
        {isEditing ? (
          <Editor node={node} onDone={() => props.onEdit(null)} />
        ) : node.role === 'assistant' ? (
          <Markdown text={node.content} />
        ) : (
          node.content !== '' && <div class="plain">{node.content}</div>
        )}
        {(node.calls ?? []).map((call) => call && <CallView node={node} call={call} canAnswer={!props.isBusy && props.openCalls.split('\n').includes(call.id)} />)}
        {isRunning && isWaiting && (
          <p class="waiting">
            {t('waiting')} {props.progress !== undefined && <progress value={props.progress} max={1} aria-label={t('waiting')} />}
          </p>
        )}
        {node.error !== undefined && (
          <p class="error" role="alert">
            {node.error}
          </p>
        )}
        {!isRunning && node.stopped && node.error === undefined && node.role === 'assistant' && <p class="stats">{t('stopped')}</p>}
        {!isRunning && node.stats && <StatsLine stats={node.stats} model={node.model} />}
        {!isRunning && !isEditing && <Buttons {...props} />}
      </article>
    );
  },
  (a, b) => (Object.keys(b) as (keyof MessageProps)[]).every((name) => a[name] === b[name]),
);

export { Icon };
