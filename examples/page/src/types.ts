// What the page keeps, and what the server tells.

export interface AttachedFile {
  name: string;
  text: string;
}

export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

/** What an answer took. */
export interface AnswerStats {
  promptTokens: number;
  cachedTokens: number;
  tokens: number;
  tokensPerSecond: number;
  promptPerSecond: number;
  /** From the request to the first piece of text, in seconds. */
  firstToken: number;
  seconds: number;
  finish: string;
  /** Tokens that a draft had guessed, and how many of them were right. */
  drafted?: number;
  accepted?: number;
}

export type Role = 'user' | 'assistant' | 'tool';

/** A message; those with the same parent are branches. */
export interface MessageNode {
  id: string;
  parent: string | null;
  role: Role;
  content: string;
  created: number;
  reasoning?: string;
  calls?: ToolCall[];
  callId?: string;
  files?: AttachedFile[];
  model?: string;
  stats?: AnswerStats;
  /** Stopped by the reader, or ended with an error. */
  stopped?: boolean;
  error?: string;
}

export interface Conversation {
  id: string;
  title: string;
  created: number;
  updated: number;
  nodes: Record<string, MessageNode>;
  /** The last message of the branch that is shown; null: none yet. */
  leaf: string | null;
}

/** A conversation as the list shows it. */
export interface ConversationHead {
  id: string;
  title: string;
  updated: number;
}

export interface Fit {
  verdict: string;
  context?: number;
  kv_type?: string;
  bytes?: number;
  available?: number;
  tokens_per_second?: number;
}

export interface LoadedState {
  context: number;
  parallel: number;
  k_type: string;
  v_type: string;
  draft?: string;
  bytes: number;
  cache_bytes: number;
  cache_used: number;
  load_seconds: number;
  expires_in: number;
  active: number;
  waiting: number;
  prompt_tokens: number;
  cached_tokens: number;
  generated_tokens: number;
}

export interface ModelState {
  name: string;
  title: string;
  architecture: string;
  quantization: string;
  parameters: string;
  bytes: number;
  context_train: number;
  is_encoder: boolean;
  has_tools: boolean;
  can_think: boolean;
  system: string;
  sampling: Record<string, unknown>;
  fit: Fit | null;
  drafts: string[];
  state: 'idle' | 'loading' | 'loaded';
  progress: number;
  loaded?: LoadedState;
}

export interface ServerState {
  version: string;
  models: ModelState[];
  memory: { available: number; used: number };
  kv_types: string[];
  load: { context: number; k_type: string; v_type: string };
  sampling: Record<string, number>;
}
