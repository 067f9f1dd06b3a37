// Every parameter of an answer, as data: the panel shows the rows, a request carries those that are set.

export interface Parameter {
  /** The field of /v1/chat/completions. */
  name: string;
  group: 'usual' | 'truncation' | 'repetition' | 'temperature' | 'mirostat' | 'answer';
  min?: number;
  max?: number;
  step: number;
}

export const kParameters: Parameter[] = [
  { name: 'temperature', group: 'usual', min: 0, max: 5, step: 0.05 },
  { name: 'top_k', group: 'usual', min: 0, step: 1 },
  { name: 'top_p', group: 'usual', min: 0, max: 1, step: 0.01 },
  { name: 'min_p', group: 'usual', min: 0, max: 1, step: 0.01 },
  { name: 'max_tokens', group: 'usual', min: 1, step: 1 },
  { name: 'seed', group: 'usual', min: 0, step: 1 },
  { name: 'typical_p', group: 'truncation', min: 0, max: 1, step: 0.01 },
  { name: 'top_n_sigma', group: 'truncation', min: -1, step: 0.1 },
  { name: 'xtc_probability', group: 'truncation', min: 0, max: 1, step: 0.01 },
  { name: 'xtc_threshold', group: 'truncation', min: 0, max: 1, step: 0.01 },
  { name: 'min_keep', group: 'truncation', min: 1, step: 1 },
  { name: 'repeat_penalty', group: 'repetition', min: 0, step: 0.01 },
  { name: 'repeat_last_n', group: 'repetition', min: -1, step: 1 },
  { name: 'presence_penalty', group: 'repetition', min: -2, max: 2, step: 0.05 },
  { name: 'frequency_penalty', group: 'repetition', min: -2, max: 2, step: 0.05 },
  { name: 'dry_multiplier', group: 'repetition', min: 0, step: 0.05 },
  { name: 'dry_base', group: 'repetition', min: 0, step: 0.05 },
  { name: 'dry_allowed_length', group: 'repetition', min: 0, step: 1 },
  { name: 'dry_penalty_last_n', group: 'repetition', min: -1, step: 1 },
  { name: 'dynatemp_range', group: 'temperature', min: 0, step: 0.05 },
  { name: 'dynatemp_exponent', group: 'temperature', min: 0, step: 0.05 },
  { name: 'mirostat', group: 'mirostat', min: 0, max: 2, step: 1 },
  { name: 'mirostat_tau', group: 'mirostat', min: 0, step: 0.1 },
  { name: 'mirostat_eta', group: 'mirostat', min: 0, step: 0.01 },
];

export const kGroups = ['usual', 'truncation', 'repetition', 'temperature', 'mirostat'] as const;

/** What a preset holds. Empty texts and absent numbers leave the server's own. */
export interface Settings {
  model: string;
  system: string;
  parameters: Record<string, number>;
  stop: string[];
  dryBreakers: string[];
  logitBias: string;
  ignoreEnd: boolean;
  /** '': as the template does; 'on', 'off'. */
  thinking: '' | 'on' | 'off';
  schema: string;
  grammar: string;
  tools: string;
  /** How the model is loaded. */
  context: number;
  kType: string;
  vType: string;
  /** '': as the server was told; 'none', or the name of a model. */
  draft: string;
}

export const kNoSettings: Settings = {
  model: '',
  system: '',
  parameters: {},
  stop: [],
  dryBreakers: [],
  logitBias: '',
  ignoreEnd: false,
  thinking: '',
  schema: '',
  grammar: '',
  tools: '',
  context: 0,
  kType: '',
  vType: '',
  draft: '',
};

/** Settings from a file or an older version: only what has the right type is taken. */
export function readSettings(value: unknown): Settings {
  const from = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const settings: Settings = { ...kNoSettings, parameters: {} };
  const to = settings as unknown as Record<string, unknown>;
  for (const [name, otherwise] of Object.entries(kNoSettings)) {
    const given = from[name];
    if (Array.isArray(otherwise)) {
      to[name] = Array.isArray(given) ? given.filter((text) => typeof text === 'string' && text !== '') : [];
    } else if (typeof otherwise !== 'object' && typeof given === typeof otherwise) {
      to[name] = given;
    }
  }
  const numbers = (typeof from.parameters === 'object' && from.parameters !== null ? from.parameters : {}) as Record<string, unknown>;
  for (const { name } of kParameters) {
    const number = numbers[name];
    if (typeof number === 'number' && Number.isFinite(number)) settings.parameters[name] = number;
  }
  if (!['', 'on', 'off'].includes(settings.thinking)) settings.thinking = '';
  if (!(settings.context >= 0)) settings.context = 0;
  return settings;
}

/** Why a text is no JSON of that kind; '': it is, or it is empty. */
export function jsonFault(text: string, kind: 'object' | 'array'): string {
  if (text.trim() === '') return '';
  try {
    const value: unknown = JSON.parse(text);
    const fits = kind === 'array' ? Array.isArray(value) : typeof value === 'object' && value !== null && !Array.isArray(value);
    return fits ? '' : kind === 'array' ? '[ … ]' : '{ … }';
  } catch (error) {
    return String((error as Error).message);
  }
}

/** What the model's own definition asks for, by the names of /v1/chat/completions; it may come with Ollama's. */
export function modelFields(own: Record<string, unknown>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const { name } of kParameters) {
    const value = own[name === 'max_tokens' ? 'num_predict' : name];
    if (typeof value === 'number' && (name !== 'max_tokens' || value > 0)) fields[name] = value;
  }
  if (typeof own.stop === 'string' || Array.isArray(own.stop)) fields.stop = own.stop;
  return fields;
}

/** The fields of a request that the settings stand for, over those of the model. Throws where a text is no JSON. */
export function requestFields(settings: Settings, own: Record<string, unknown>): Record<string, unknown> {
  const fields: Record<string, unknown> = { ...modelFields(own), ...settings.parameters };
  if (settings.stop.length > 0) fields.stop = settings.stop;
  if (settings.dryBreakers.length > 0) fields.dry_sequence_breakers = settings.dryBreakers;
  if (settings.ignoreEnd) fields.ignore_eos = true;
  if (settings.logitBias.trim() !== '') fields.logit_bias = JSON.parse(settings.logitBias);
  if (settings.thinking !== '') fields.chat_template_kwargs = { enable_thinking: settings.thinking === 'on' };
  if (settings.schema.trim() !== '') {
    fields.response_format = { type: 'json_schema', json_schema: { name: 'answer', schema: JSON.parse(settings.schema) } };
  } else if (settings.grammar.trim() !== '') {
    fields.grammar = settings.grammar;
  }
  if (settings.tools.trim() !== '') fields.tools = JSON.parse(settings.tools);
  return fields;
}
