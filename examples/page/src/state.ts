// What the page shows, as signals, and the few ways in which it changes.
import { computed, effect, signal } from '@preact/signals';
import { ApiFailure, fetchState, loadModel, setKey, unloadModel } from './api';
import { newConversation } from './conversations';
import { language, kLanguages, preferredLanguage, t, type Language } from './i18n';
import { rendererVersion } from './markdown';
import { kNoSettings, readSettings, type Settings } from './parameters';
import * as storage from './storage';
import type { Conversation, ConversationHead, ModelState, ServerState } from './types';

// --- the look ------------------------------------------------------------------------------------------------------------

export type Theme = 'auto' | 'light' | 'dark';
export const theme = signal<Theme>('auto');
/** Windows in which the list stands beside the conversation, not over it (as in style.css). */
export const kWide = '(min-width: 56rem)';
export const listShown = signal(matchMedia(kWide).matches);
export const panelShown = signal(false);
export type DialogName = '' | 'models' | 'keyboard' | 'key' | 'options';
export const dialog = signal<DialogName>('');
export const notice = signal('');

let noticeTimer = 0;
export function say(text: string): void {
  notice.value = text;
  clearTimeout(noticeTimer);
  noticeTimer = window.setTimeout(() => (notice.value = ''), 5000);
}

function readPlain(name: string): string {
  try {
    return localStorage.getItem(`hearth.${name}`) ?? '';
  } catch {
    return '';
  }
}

export function writePlain(name: string, value: string): void {
  try {
    localStorage.setItem(`hearth.${name}`, value);
  } catch {
    // A browser that keeps nothing; the choice holds until the page is left.
  }
}

export function startLook(): void {
  const wanted = readPlain('theme');
  if (wanted === 'light' || wanted === 'dark') theme.value = wanted;
  const chosen = readPlain('language');
  language.value = kLanguages.some(({ id }) => id === chosen) ? (chosen as Language) : preferredLanguage();
  setKey(readPlain('key'));
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
    writePlain('theme', theme.value);
  });
  effect(() => {
    document.documentElement.lang = language.value;
    rendererVersion.value = rendererVersion.peek() + 1;
  });
}

export function chooseLanguage(id: Language): void {
  language.value = id;
  writePlain('language', id);
}

// --- the server ----------------------------------------------------------------------------------------------------------

export const server = signal<ServerState | null>(null);
export const isAway = signal(false);

let pollTimer = 0;
/** Asks how things stand, and again after a while: soon when something is going on. */
export async function refresh(): Promise<void> {
  clearTimeout(pollTimer);
  try {
    server.value = await fetchState();
    isAway.value = false;
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 401) {
      dialog.value = 'key'; // asked again when there is one
      return;
    }
    isAway.value = true;
  }
  const isBusy = server.value?.models.some((model) => model.state === 'loading') || pendingLoad.value !== '';
  const wait = isBusy ? 300 : Object.keys(runs.value).length > 0 ? 1500 : 5000;
  if (!document.hidden) pollTimer = window.setTimeout(() => void refresh(), wait);
}

export const talkers = computed<ModelState[]>(() => (server.value?.models ?? []).filter((model) => !model.is_encoder));

/** More bytes than these answer slowly on most machines. */
const kUsualBytes = 6e9;

/** What a newcomer is given: the largest model that is no burden. */
function firstChoice(models: ModelState[]): ModelState | undefined {
  const room = Math.min((server.value?.memory.available ?? 0) / 2, kUsualBytes);
  const light = models.filter(({ bytes, fit }) => bytes <= room && (!fit || fit.verdict === 'fits'));
  if (light.length > 0) return light.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  return models.length > 0 ? models.reduce((a, b) => (b.bytes < a.bytes ? b : a)) : undefined;
}

/** The model that answers: the chosen one, else one that is loaded, else a good one to begin with. */
export const model = computed<ModelState | undefined>(
  () =>
    talkers.value.find(({ name }) => name === settings.value.model) ??
    talkers.value.find(({ state }) => state === 'loaded') ??
    firstChoice(talkers.value),
);

/** The draft that the settings want for a model: only one that goes with it. */
export function draftFor(state: ModelState | undefined, wanted: Settings): string {
  const isFit = wanted.draft === 'none' ? state?.loaded?.draft !== undefined : state?.drafts.includes(wanted.draft);
  return isFit ? wanted.draft : '';
}

/** Whether a loaded model is not as the settings want it. */
export function differs(state: ModelState, wanted: Settings): boolean {
  const { loaded } = state;
  if (!loaded) return true;
  const draft = draftFor(state, wanted);
  return (
    (wanted.context > 0 && wanted.context !== loaded.context) ||
    (wanted.kType !== '' && wanted.kType !== loaded.k_type) ||
    (wanted.vType !== '' && wanted.vType !== loaded.v_type) ||
    (draft !== '' && draft !== (loaded.draft ?? 'none'))
  );
}

/** The name of the model that this page waits for. */
export const pendingLoad = signal('');

export async function load(name: string, signal?: AbortSignal): Promise<void> {
  const { context, kType, vType } = settings.value;
  const draft = settings.value.draft === 'none' ? 'none' : draftFor(talkers.value.find((state) => state.name === name), settings.value);
  pendingLoad.value = name;
  window.setTimeout(() => pendingLoad.value === name && void refresh(), 150);
  try {
    await loadModel({ model: name, context, k_type: kType, v_type: vType, draft }, signal);
  } finally {
    pendingLoad.value = '';
    void refresh();
  }
}

export async function unload(name: string): Promise<void> {
  try {
    await unloadModel(name);
  } catch (error) {
    say(failureText(error));
  }
  await refresh();
}

export function failureText(error: unknown): string {
  if (error instanceof ApiFailure && error.status === 0) return t('connection_lost');
  return error instanceof Error ? error.message : String(error);
}

export function useKey(key: string): void {
  writePlain('key', key);
  setKey(key);
  dialog.value = '';
  void refresh();
}

// --- settings ------------------------------------------------------------------------------------------------------------

export const settings = signal<Settings>(kNoSettings);
export const presets = signal<Record<string, Settings>>({});

export function change(part: Partial<Settings>): void {
  settings.value = { ...settings.value, ...part };
  void keep('settings', settings.value);
}

export function changeParameter(name: string, value: number | undefined): void {
  const parameters = { ...settings.value.parameters };
  if (value === undefined || Number.isNaN(value)) delete parameters[name];
  else parameters[name] = value;
  change({ parameters });
}

export function changePresets(next: Record<string, Settings>): void {
  presets.value = next;
  void keep('presets', next);
}

let hasWarned = false;
/** Keeps a value in the browser; says once when it cannot. */
async function keep(name: string, value: unknown): Promise<void> {
  await attempt(() => storage.saveValue(name, value));
}

async function attempt(save: () => Promise<void>): Promise<void> {
  try {
    await save();
  } catch {
    if (!hasWarned) say(t('saving_failed'));
    hasWarned = true;
  }
}

// --- conversations -------------------------------------------------------------------------------------------------------

export interface Run {
  node: string;
  controller: AbortController;
  /** Before the first piece: the model is being loaded, or the prompt computed. */
  isWaiting: boolean;
  /** How much of the prompt is computed, 0 to 1; undefined: nothing is known of it. */
  progress?: number;
}

export const conversation = signal<Conversation>(newConversation());
export const heads = signal<ConversationHead[]>([]);
export const query = signal('');
/** Answers that are being written, by conversation. */
export const runs = signal<Record<string, Run>>({});
/** Conversations that are not shown, but being written to. */
const background = new Map<string, Conversation>();
const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('hearth');

export function conversationById(id: string): Conversation | undefined {
  return conversation.value.id === id ? conversation.value : background.get(id);
}

const saveTimers = new Map<string, number>();
/** Changes a conversation, whether it is shown or not, and keeps it: at once, or within a second. */
export function update(id: string, changed: (from: Conversation) => Conversation, atOnce = true): void {
  const from = conversationById(id);
  if (!from) return;
  const next = changed(from);
  if (conversation.value.id === id) conversation.value = next;
  else background.set(id, next);
  if (!atOnce && saveTimers.has(id)) return;
  clearTimeout(saveTimers.get(id));
  saveTimers.set(id, window.setTimeout(() => void save(id, atOnce), atOnce ? 0 : 1000));
}

async function save(id: string, isListed: boolean): Promise<void> {
  saveTimers.delete(id);
  const written = conversationById(id);
  if (!written || written.leaf === null) return;
  if (!runs.value[id] && conversation.value.id !== id) background.delete(id);
  await attempt(() => storage.saveConversation(written));
  if (!isListed) return;
  await list();
  channel?.postMessage('changed');
}

export async function list(): Promise<void> {
  try {
    heads.value = await storage.findConversations(query.value);
  } catch {
    heads.value = [];
  }
}

export function setRun(id: string, run: Run | undefined): void {
  const next = { ...runs.value };
  if (run) next[id] = run;
  else delete next[id];
  runs.value = next;
}

function show(next: Conversation): void {
  const before = conversation.value;
  if (runs.value[before.id]) background.set(before.id, before);
  background.delete(next.id);
  conversation.value = next;
  history.replaceState(null, '', next.leaf === null ? '#' : `#${next.id}`);
  if (!matchMedia(kWide).matches) listShown.value = false;
}

export function startConversation(): void {
  if (conversation.value.leaf !== null) show(newConversation());
  else show(conversation.value);
}

export async function openConversation(id: string): Promise<void> {
  const found = background.get(id) ?? (await storage.loadConversation(id));
  if (found) show(found);
}

export async function removeConversation(id: string): Promise<void> {
  runs.value[id]?.controller.abort();
  clearTimeout(saveTimers.get(id));
  saveTimers.delete(id);
  background.delete(id);
  if (conversation.value.id === id) show(newConversation());
  await attempt(() => storage.deleteConversation(id));
  await list();
  channel?.postMessage('changed');
}

export async function renameConversation(id: string, title: string): Promise<void> {
  const found = conversationById(id) ?? (await storage.loadConversation(id));
  if (!found) return;
  if (conversationById(id)) return update(id, (from) => ({ ...from, title }));
  await attempt(() => storage.saveConversation({ ...found, title }));
  await list();
}

/** Reads what the browser has kept, and goes on where it was left. */
export async function startState(): Promise<void> {
  try {
    settings.value = readSettings(await storage.loadValue('settings'));
    presets.value = await storage.loadPresets();
    const id = location.hash.slice(1);
    const found = id === '' ? undefined : await storage.loadConversation(id);
    if (found) conversation.value = found;
  } catch {
    say(t('saving_failed'));
  }
  await list();
  channel?.addEventListener('message', () => void list());
  document.addEventListener('visibilitychange', () => !document.hidden && void refresh());
  await refresh();
}
