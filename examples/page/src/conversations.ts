// Conversations as trees: every message has a parent, messages with the same parent are branches, and `leaf` says which
// way through the tree is shown. Nothing in here changes what it is given.
import { readSettings, type Settings } from './parameters';
import type { AnswerStats, AttachedFile, Conversation, MessageNode, Role, ToolCall } from './types';

export function newId(): string {
  // Not crypto.randomUUID: it is missing where the page comes over plain HTTP from another machine.
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function newConversation(): Conversation {
  const now = Date.now();
  return { id: newId(), title: '', created: now, updated: now, nodes: {}, leaf: null };
}

/** The messages that are shown, from the first on. */
export function pathOf(conversation: Conversation, leaf: string | null = conversation.leaf): MessageNode[] {
  const path: MessageNode[] = [];
  for (let id = leaf; id !== null; ) {
    const node: MessageNode | undefined = conversation.nodes[id];
    if (!node || path.length > 100000) break;
    path.push(node);
    id = node.parent;
  }
  return path.reverse();
}

/** The branches at a message, itself included, oldest first. */
export function siblingsOf(conversation: Conversation, node: MessageNode): MessageNode[] {
  return Object.values(conversation.nodes)
    .filter((other) => other.parent === node.parent)
    .sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
}

/** The end of the branch below a message that was written to last. */
export function leafBelow(conversation: Conversation, id: string): string {
  const last = new Map<string, MessageNode>();
  for (const node of Object.values(conversation.nodes)) {
    const other = node.parent === null ? undefined : last.get(node.parent);
    if (node.parent !== null && (!other || node.created >= other.created)) last.set(node.parent, node);
  }
  let leaf = id;
  for (let next = last.get(leaf); next; next = last.get(leaf)) leaf = next.id;
  return leaf;
}

export function withNode(conversation: Conversation, node: MessageNode, leaf: string | null = conversation.leaf): Conversation {
  return { ...conversation, updated: Date.now(), leaf, nodes: { ...conversation.nodes, [node.id]: node } };
}

/** Without a message and all that follows it. */
export function withoutNode(conversation: Conversation, id: string): Conversation {
  const node = conversation.nodes[id];
  if (!node) return conversation;
  const gone = new Set([id]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const other of Object.values(conversation.nodes)) {
      if (other.parent !== null && gone.has(other.parent) && !gone.has(other.id)) {
        gone.add(other.id);
        grew = true;
      }
    }
  }
  const nodes = Object.fromEntries(Object.entries(conversation.nodes).filter(([key]) => !gone.has(key)));
  const rest = { ...conversation, nodes, updated: Date.now() };
  const others = siblingsOf(rest, node);
  const next = others[others.length - 1];
  return { ...rest, leaf: next ? leafBelow(rest, next.id) : node.parent };
}

/** Calls in a message of a path that no message behind it has answered; none where something else follows. */
export function openCalls(path: MessageNode[], index: number): ToolCall[] {
  const after = path.slice(index + 1);
  if (!after.every(({ role }) => role === 'tool')) return [];
  const answered = new Set(after.map(({ callId }) => callId));
  return (path[index]?.calls ?? []).filter(({ id }) => !answered.has(id));
}

/** The first words of the first message. */
export function titleFrom(text: string): string {
  const line = text.trim().split(/\s+/).join(' ');
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

/** What the model is shown of a message: attached files first, each with its name. */
export function promptText(node: MessageNode): string {
  const files = (node.files ?? []).map((file) => {
    // Longer than any row of backticks in the file.
    const longest = Math.max(2, ...(file.text.match(/`+/g) ?? []).map((row) => row.length));
    const fence = '`'.repeat(longest + 1);
    return `${file.name.replace(/[\r\n`]/g, ' ')}:\n${fence}\n${file.text.replace(/\n$/, '')}\n${fence}\n\n`;
  });
  return files.join('') + node.content;
}

/** A conversation as Markdown. */
export function toMarkdown(conversation: Conversation): string {
  const parts = pathOf(conversation).map((node) => `## ${node.role}\n\n${promptText(node)}\n`);
  return `# ${conversation.title}\n\n${parts.join('\n')}`;
}

// --- import ------------------------------------------------------------------------------------------------------------

const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
type Fields = Record<string, unknown>;
const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

function readStats(value: unknown): AnswerStats | undefined {
  const from = fieldsOf(value);
  const names = ['promptTokens', 'cachedTokens', 'tokens', 'tokensPerSecond', 'promptPerSecond', 'firstToken', 'seconds'] as const;
  if (!names.every((name) => isNumber(from[name]))) return undefined;
  const numbers = Object.fromEntries(names.map((name) => [name, from[name] as number])) as Omit<AnswerStats, 'finish'>;
  return { ...numbers, finish: isText(from.finish) ? from.finish : '' };
}

function readNode(value: unknown): MessageNode | undefined {
  const from = fieldsOf(value);
  if (!isText(from.id) || !isText(from.content) || !['user', 'assistant', 'tool'].includes(from.role as string)) return undefined;
  const node: MessageNode = {
    id: from.id,
    parent: isText(from.parent) ? from.parent : null,
    role: from.role as Role,
    content: from.content,
    created: isNumber(from.created) ? from.created : 0,
  };
  for (const name of ['reasoning', 'callId', 'model', 'error'] as const) {
    const text = from[name];
    if (isText(text)) node[name] = text;
  }
  if (from.stopped === true) node.stopped = true;
  const stats = readStats(from.stats);
  if (stats) node.stats = stats;
  const files = listOf(from.files)
    .map(fieldsOf)
    .filter((file) => isText(file.name) && isText(file.text));
  if (files.length > 0) node.files = files.map((file) => ({ name: file.name, text: file.text }) as AttachedFile);
  const calls = listOf(from.calls)
    .map(fieldsOf)
    .filter((call) => isText(call.id) && isText(call.name) && isText(call.arguments));
  if (calls.length > 0) node.calls = calls.map((call) => ({ id: call.id, name: call.name, arguments: call.arguments }) as ToolCall);
  return node;
}

/** A conversation from a file; undefined: it is none. Messages whose parents lead nowhere or in a circle are left out. */
export function readConversation(value: unknown): Conversation | undefined {
  const from = fieldsOf(value);
  if (!isText(from.id) || !isText(from.title) || typeof from.nodes !== 'object') return undefined;
  const all = new Map<string, MessageNode>();
  for (const entry of Object.values(fieldsOf(from.nodes))) {
    const node = readNode(entry);
    if (node) all.set(node.id, node);
  }
  const nodes: Record<string, MessageNode> = {};
  const good = new Set<string>();
  for (let grew = true; grew; ) {
    grew = false;
    for (const node of all.values()) {
      if (good.has(node.id) || (node.parent !== null && !good.has(node.parent))) continue;
      good.add(node.id);
      Object.defineProperty(nodes, node.id, { value: node, enumerable: true, configurable: true, writable: true });
      grew = true;
    }
  }
  const now = Date.now();
  const leaf = isText(from.leaf) && good.has(from.leaf) ? from.leaf : ([...good].pop() ?? null);
  return {
    id: from.id,
    title: from.title.slice(0, 200),
    created: isNumber(from.created) ? from.created : now,
    updated: isNumber(from.updated) ? from.updated : now,
    nodes,
    leaf,
  };
}

export interface ExportFile {
  format: 'hearth-conversations';
  version: 1;
  conversations: Conversation[];
  presets: Record<string, Settings>;
}

/** What an exported file holds; undefined: it is none. */
export function readExport(text: string): { conversations: Conversation[]; presets: Record<string, Settings> } | undefined {
  let value: Fields;
  try {
    value = fieldsOf(JSON.parse(text));
  } catch {
    return undefined;
  }
  if (value.format !== 'hearth-conversations') return undefined;
  const conversations = listOf(value.conversations)
    .map(readConversation)
    .filter((conversation) => conversation !== undefined);
  const presets: Record<string, Settings> = {};
  for (const [name, settings] of Object.entries(fieldsOf(value.presets))) presets[name.slice(0, 100)] = readSettings(settings);
  return { conversations, presets };
}
