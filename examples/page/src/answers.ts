// Sending messages and taking answers: what the buttons under a message do.
import { streamChat, type Piece } from './api';
import { leafBelow, newId, openCalls, pathOf, promptText, siblingsOf, titleFrom, withNode, withoutNode } from './conversations';
import { requestFields } from './parameters';
import { conversation, conversationById, differs, failureText, load, model, refresh, runs, setRun, settings, update } from './state';
import type { AttachedFile, MessageNode, ToolCall } from './types';

/** How often what has come is shown, in milliseconds: more rarely where showing it takes long. */
const kShowEvery = 50;
const kShowAtLeastEvery = 1000;

/** A message in the form of /v1/chat/completions. */
function requestMessage(node: MessageNode): Record<string, unknown> {
  if (node.role === 'tool') return { role: 'tool', tool_call_id: node.callId ?? '', content: node.content };
  const message: Record<string, unknown> = { role: node.role, content: promptText(node) };
  if (node.calls) {
    message.tool_calls = node.calls.map((call) => ({ id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }));
    if (node.reasoning) message.reasoning_content = node.reasoning;
  }
  return message;
}

function takeCall(calls: ToolCall[] | undefined, piece: NonNullable<Piece['call']>): ToolCall[] {
  const next = [...(calls ?? [])];
  const before = next[piece.index] ?? { id: '', name: '', arguments: '' };
  next[piece.index] = {
    id: piece.id ?? before.id,
    name: before.name + (piece.name ?? ''),
    arguments: before.arguments + (piece.arguments ?? ''),
  };
  return next;
}

function take(node: MessageNode, pieces: Piece[]): MessageNode {
  const next = { ...node };
  for (const piece of pieces) {
    if (piece.content) next.content += piece.content;
    if (piece.reasoning) next.reasoning = (next.reasoning ?? '') + piece.reasoning;
    if (piece.call) next.calls = takeCall(next.calls, piece.call);
  }
  return next;
}

/** Lets the model write into a message of a conversation, behind what it holds already. */
async function run(id: string, nodeId: string): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  setRun(id, { node: nodeId, controller, isWaiting: true });
  let pieces: Piece[] = [];
  let timer = 0;
  let wait = kShowEvery;
  const change = (changed: (node: MessageNode) => MessageNode, atOnce: boolean) =>
    update(
      id,
      (from) => {
        const node = from.nodes[nodeId];
        return node ? withNode(from, changed(node)) : from;
      },
      atOnce,
    );
  const show = () => {
    timer = 0;
    const come = pieces;
    pieces = [];
    if (runs.value[id]?.isWaiting) setRun(id, { node: nodeId, controller, isWaiting: false });
    const begin = performance.now();
    change((node) => take(node, come), false);
    requestAnimationFrame(() => setTimeout(() => (wait = Math.min(Math.max(3 * (performance.now() - begin), kShowEvery), kShowAtLeastEvery))));
  };
  try {
    const chosen = model.value;
    if (!chosen) throw new Error('no model');
    if (chosen.state !== 'loaded' || differs(chosen, settings.value)) await load(chosen.name, signal);
    const from = conversationById(id);
    if (!from) return;
    const messages = pathOf(from, nodeId)
      .filter((node) => node.id !== nodeId || node.content !== '')
      .map(requestMessage);
    const system = settings.value.system.trim() !== '' ? settings.value.system : chosen.system;
    if (system !== '') messages.unshift({ role: 'system', content: system });
    const body = { ...requestFields(settings.value, chosen.sampling), model: chosen.name, messages };
    change((node) => ({ ...node, model: chosen.name }), true);
    void refresh();
    const onPiece = (piece: Piece) => {
      if (piece.progress !== undefined) return setRun(id, { node: nodeId, controller, isWaiting: true, progress: piece.progress });
      pieces.push(piece);
      if (timer === 0) timer = window.setTimeout(show, wait);
    };
    const stats = await streamChat(body, onPiece, signal);
    change(({ stopped: _, error: __, ...node }) => ({ ...take(node, pieces), stats }), true);
  } catch (error) {
    const come = pieces;
    change((node) => ({ ...take(node, come), stopped: true, ...(signal.aborted ? {} : { error: failureText(error) }) }), true);
  } finally {
    clearTimeout(timer);
    setRun(id, undefined);
    update(id, (from) => from); // kept once more, now that nothing writes
    void refresh();
  }
}

export const isRunning = () => runs.value[conversation.value.id] !== undefined;

export function stop(): void {
  runs.value[conversation.value.id]?.controller.abort();
}

/** An empty answer to a message, and the model at work on it. */
function answerTo(parent: string): void {
  const { id } = conversation.value;
  const node: MessageNode = { id: newId(), parent, role: 'assistant', content: '', created: Date.now(), stopped: true };
  update(id, (from) => withNode(from, node, node.id));
  void run(id, node.id);
}

/** Adds a message below another and has it answered, if there is nothing to wait for. */
function addMessage(parent: string | null, fields: Partial<MessageNode> & Pick<MessageNode, 'role' | 'content'>, isWhole = true): void {
  const node: MessageNode = { id: newId(), parent, created: Date.now(), ...fields };
  update(conversation.value.id, (from) => ({
    ...withNode(from, node, node.id),
    title: from.title === '' ? titleFrom(node.content || (node.files?.[0]?.name ?? '')) : from.title,
  }));
  history.replaceState(null, '', `#${conversation.value.id}`);
  if (isWhole) answerTo(node.id);
}

export function send(content: string, files: AttachedFile[]): void {
  if (isRunning()) return;
  addMessage(conversation.value.leaf, { role: 'user', content, ...(files.length > 0 ? { files } : {}) });
}

/** The result of a call; the model goes on when it has those of all calls of the message. */
export function answerCall(node: MessageNode, call: ToolCall, content: string): void {
  if (isRunning()) return;
  const path = pathOf(conversation.value);
  const open = openCalls(path, path.findIndex(({ id }) => id === node.id));
  if (!open.some(({ id }) => id === call.id)) return;
  addMessage(conversation.value.leaf, { role: 'tool', content, callId: call.id }, open.length === 1);
}

/** The same question with other words, or another wording of an answer, as a branch. */
export function edit(node: MessageNode, content: string): void {
  if (isRunning()) return;
  if (node.role !== 'assistant') {
    const { role, files, callId } = node;
    return addMessage(node.parent, { role, content, ...(files ? { files } : {}), ...(callId ? { callId } : {}) });
  }
  const { stats: _, calls: __, reasoning: ___, error: ____, ...rest } = node;
  const other: MessageNode = { ...rest, id: newId(), content, created: Date.now() };
  update(conversation.value.id, (from) => withNode(from, other, other.id));
}

export function regenerate(node: MessageNode): void {
  if (!isRunning() && node.parent !== null) answerTo(node.parent);
}

/** Goes on with an answer that was stopped or reached its limit. */
export function goOn(node: MessageNode): void {
  if (isRunning()) return;
  const { id } = conversation.value;
  update(id, (from) => withNode(from, { ...node, stopped: true }, node.id));
  void run(id, node.id);
}

export function remove(node: MessageNode): void {
  if (!isRunning()) update(conversation.value.id, (from) => withoutNode(from, node.id));
}

/** Shows the branch so many places further. */
export function showBranch(node: MessageNode, by: number): void {
  if (isRunning()) return;
  const all = siblingsOf(conversation.value, node);
  const other = all[all.findIndex(({ id }) => id === node.id) + by];
  if (other) update(conversation.value.id, (from) => ({ ...from, leaf: leafBelow(from, other.id) }));
}
