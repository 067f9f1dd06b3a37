// What is asked of the server.
import type { AnswerStats, ServerState } from './types';

export class ApiFailure extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

let key = '';
export function setKey(value: string): void {
  key = value;
}

async function ask(path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key !== '') headers['Authorization'] = `Bearer ${key}`;
  let response: Response;
  try {
    response = await fetch(path, {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ?? null,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiFailure(0, '');
  }
  if (response.ok) return response;
  throw new ApiFailure(response.status, messageOf(await response.text()) || response.statusText);
}

/** The message in an error of any of the server's protocols. */
function messageOf(text: string): string {
  try {
    const value = JSON.parse(text) as { error?: string | { message?: string } };
    return typeof value.error === 'string' ? value.error : (value.error?.message ?? '');
  } catch {
    return text.slice(0, 300);
  }
}

export async function fetchState(signal?: AbortSignal): Promise<ServerState> {
  return (await (await ask('/hearth/state', undefined, signal)).json()) as ServerState;
}

export interface LoadRequest {
  model: string;
  context: number;
  k_type: string;
  v_type: string;
  draft: string;
}

export async function loadModel(request: LoadRequest, signal?: AbortSignal): Promise<void> {
  await (await ask('/hearth/load', request, signal)).json();
}

export async function unloadModel(model: string): Promise<void> {
  await (await ask('/hearth/unload', { model })).json();
}

/** A piece of an answer. */
export interface Piece {
  content?: string;
  reasoning?: string;
  /** How much of the prompt is computed, 0 to 1; nothing of the answer has come. */
  progress?: number;
  call?: { index: number; id?: string; name?: string; arguments?: string };
}

interface Chunk {
  error?: { message?: string };
  choices?: {
    delta?: {
      content?: string | null;
      reasoning_content?: string;
      tool_calls?: { index: number; id?: string; function?: { name?: string; arguments?: string } }[];
    };
    finish_reason?: string | null;
  }[];
  prompt_progress?: { total: number; processed: number };
  timings?: {
    cache_n: number;
    prompt_n: number;
    prompt_per_second: number;
    predicted_n: number;
    predicted_per_second: number;
    draft_n?: number;
    draft_n_accepted?: number;
  };
}

/** Lines of a stream of events behind "data: ". */
async function* dataLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data: ')) yield line.slice(6);
  }
}

/** Asks for an answer and hands over its pieces as they come. Ends early when `signal` aborts (AbortError). */
export async function streamChat(body: Record<string, unknown>, onPiece: (piece: Piece) => void, signal: AbortSignal): Promise<AnswerStats> {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const stats: AnswerStats = { promptTokens: 0, cachedTokens: 0, tokens: 0, tokensPerSecond: 0, promptPerSecond: 0, firstToken: 0, seconds: 0, finish: '' };
  const response = await ask('/v1/chat/completions', { ...body, stream: true, return_progress: true }, signal);
  if (!response.body) throw new ApiFailure(response.status, '');
  for await (const line of dataLines(response.body)) {
    if (line === '[DONE]') break;
    const chunk = JSON.parse(line) as Chunk;
    if (chunk.error) throw new ApiFailure(500, chunk.error.message ?? '');
    if (chunk.prompt_progress) onPiece({ progress: chunk.prompt_progress.processed / Math.max(chunk.prompt_progress.total, 1) });
    for (const choice of chunk.choices ?? []) {
      const { content, reasoning_content: reasoning, tool_calls: calls } = choice.delta ?? {};
      if (stats.firstToken === 0 && (content || reasoning || calls)) stats.firstToken = seconds();
      if (content) onPiece({ content });
      if (reasoning) onPiece({ reasoning });
      for (const call of calls ?? []) {
        onPiece({
          call: {
            index: call.index,
            ...(call.id ? { id: call.id } : {}),
            ...(call.function?.name ? { name: call.function.name } : {}),
            ...(call.function?.arguments ? { arguments: call.function.arguments } : {}),
          },
        });
      }
      if (choice.finish_reason) stats.finish = choice.finish_reason;
    }
    if (chunk.timings) {
      stats.cachedTokens = chunk.timings.cache_n;
      stats.promptTokens = chunk.timings.cache_n + chunk.timings.prompt_n;
      stats.tokens = chunk.timings.predicted_n;
      stats.tokensPerSecond = chunk.timings.predicted_per_second;
      stats.promptPerSecond = chunk.timings.prompt_per_second;
      if (chunk.timings.draft_n) {
        stats.drafted = chunk.timings.draft_n;
        stats.accepted = chunk.timings.draft_n_accepted ?? 0;
      }
    }
  }
  stats.seconds = seconds();
  return stats;
}
