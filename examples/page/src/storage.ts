// What stays in the browser: conversations in IndexedDB, small settings beside them.
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import { readSettings, type Settings } from './parameters';
import type { Conversation, ConversationHead } from './types';

interface Schema extends DBSchema {
  conversations: { key: string; value: Conversation; indexes: { updated: number } };
  values: { key: string; value: unknown };
}

let database: Promise<IDBPDatabase<Schema>> | undefined;

function open(): Promise<IDBPDatabase<Schema>> {
  database ??= openDB<Schema>('hearth', 1, {
    upgrade(db) {
      db.createObjectStore('conversations', { keyPath: 'id' }).createIndex('updated', 'updated');
      db.createObjectStore('values');
    },
    terminated() {
      database = undefined;
    },
  });
  return database;
}

export async function saveConversation(conversation: Conversation): Promise<void> {
  await (await open()).put('conversations', conversation);
}

export async function loadConversation(id: string): Promise<Conversation | undefined> {
  return (await open()).get('conversations', id);
}

export async function deleteConversation(id: string): Promise<void> {
  await (await open()).delete('conversations', id);
}

export async function allConversations(): Promise<Conversation[]> {
  return (await open()).getAll('conversations');
}

/** Those whose title or messages hold every word, last written to first. */
export async function findConversations(query: string): Promise<ConversationHead[]> {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const heads: ConversationHead[] = [];
  const transaction = (await open()).transaction('conversations');
  let cursor = await transaction.store.index('updated').openCursor(null, 'prev');
  while (cursor) {
    const { id, title, updated, nodes } = cursor.value;
    const text = () => [title, ...Object.values(nodes).map((node) => node.content)].join('\n').toLocaleLowerCase();
    const searched = words.length > 0 ? text() : '';
    if (words.every((word) => searched.includes(word))) heads.push({ id, title, updated });
    cursor = await cursor.continue();
  }
  return heads;
}

export async function saveValue(name: string, value: unknown): Promise<void> {
  await (await open()).put('values', value, name);
}

export async function loadValue(name: string): Promise<unknown> {
  return (await open()).get('values', name);
}

export async function loadPresets(): Promise<Record<string, Settings>> {
  const value = await loadValue('presets');
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, settings]) => [name, readSettings(settings)]));
}
