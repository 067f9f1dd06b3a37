"""hearth from Python, by ctypes alone: what the programs beside this file need of include/hearth/c.h, and the way to more of it.

    import hearth
    model = hearth.Model("model.gguf")
    session = hearth.Session(model, n_ctx=1024)
    print(session.generate("Once upon a time", max_tokens=64))

The shared library is found in HEARTH_LIBRARY, or as libhearth.so where the system looks (cmake -DBUILD_SHARED_LIBS=ON).
Errors are raised as hearth.Error. Calls release the interpreter's lock, so threads of Python run beside one another.
"""
import ctypes as c
import os

_lib = c.CDLL(os.environ.get("HEARTH_LIBRARY", "libhearth.so"))


class Error(Exception):
    """A failure: the code's name and one line that says what is wrong."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class _Error(c.Structure):
    _fields_ = [("code", c.c_int32), ("message", c.c_char * 512)]


class _Text(c.Structure):
    _fields_ = [("data", c.c_void_p), ("size", c.c_size_t)]

    def bytes(self):
        return c.string_at(self.data, self.size) if self.size else b""


class _Options(c.Structure):
    """A struct with a size: the library fills in its defaults, keywords change them."""

    _init = None

    def __init__(self, **values):
        super().__init__()
        self.size = c.sizeof(self)
        if self._init:
            init = getattr(_lib, self._init)
            init.restype = None
            init(c.byref(self))
        names = {field[0] for field in self._fields_}
        for name, value in values.items():
            if name not in names:
                raise TypeError(f"{type(self).__name__} has no option {name}")
            setattr(self, name, value)


TEXT_CALLBACK = c.CFUNCTYPE(c.c_bool, c.c_void_p, c.c_void_p, c.c_size_t)


class SamplerOptions(_Options):
    _init = "hearth_sampler_options_init"
    _fields_ = [
        ("size", c.c_size_t), ("seed", c.c_uint64), ("greedy", c.c_bool), ("logit_bias", c.c_void_p),
        ("n_logit_bias", c.c_size_t), ("penalty_last_n", c.c_int32), ("repeat_penalty", c.c_float),
        ("frequency_penalty", c.c_float), ("presence_penalty", c.c_float), ("dry_multiplier", c.c_float),
        ("dry_base", c.c_float), ("dry_allowed_length", c.c_int32), ("dry_penalty_last_n", c.c_int32),
        ("has_dry_breakers", c.c_bool), ("dry_breakers", c.c_void_p), ("n_dry_breakers", c.c_size_t),
        ("top_n_sigma", c.c_float), ("top_k", c.c_int32), ("typical_p", c.c_float), ("top_p", c.c_float),
        ("min_p", c.c_float), ("xtc_probability", c.c_float), ("xtc_threshold", c.c_float),
        ("temperature", c.c_float), ("dynatemp_range", c.c_float), ("dynatemp_exponent", c.c_float),
        ("min_keep", c.c_int32), ("mirostat", c.c_int32), ("mirostat_tau", c.c_float), ("mirostat_eta", c.c_float),
    ]


class GenerateOptions(_Options):
    _init = "hearth_generate_options_init"
    _fields_ = [
        ("size", c.c_size_t), ("max_tokens", c.c_int32), ("sampler", c.POINTER(SamplerOptions)),
        ("own_sampler", c.c_void_p), ("stop_texts", c.POINTER(c.c_char_p)), ("n_stop_texts", c.c_size_t),
        ("grammar", c.c_void_p), ("grammar_after", c.c_char_p), ("ignore_end", c.c_bool), ("skip_special", c.c_bool),
        ("probabilities", c.c_bool), ("on_full", c.c_int32), ("keep", c.c_int32), ("continue_cache", c.c_bool),
        ("speculator", c.c_void_p), ("add_special", c.c_bool), ("parse_special", c.c_bool), ("on_prompt", c.c_void_p),
        ("on_prompt_user", c.c_void_p), ("on_token", c.c_void_p), ("on_token_user", c.c_void_p),
        ("cancel", c.c_void_p),
    ]


class SessionOptions(_Options):
    _init = "hearth_session_options_init"
    _fields_ = [
        ("size", c.c_size_t), ("n_ctx", c.c_int32), ("n_seqs", c.c_int32), ("n_batch", c.c_int32),
        ("n_logits", c.c_int32), ("k_type", c.c_int32), ("v_type", c.c_int32), ("n_threads", c.c_int32),
        ("hidden_only", c.c_bool), ("batch_invariant", c.c_bool), ("exact_products", c.c_bool), ("rope", c.c_void_p),
        ("reuse_prefixes", c.c_bool), ("pool", c.c_void_p), ("adapters", c.c_void_p), ("n_adapters", c.c_size_t),
    ]


class EmbedderOptions(_Options):
    _init = "hearth_embedder_options_init"
    _fields_ = [
        ("size", c.c_size_t), ("pooling", c.c_int32), ("normalize", c.c_bool), ("dimensions", c.c_int32),
        ("truncate", c.c_bool), ("batch_tokens", c.c_int32), ("n_threads", c.c_int32), ("exact_products", c.c_bool),
        ("pool", c.c_void_p),
    ]


class EngineOptions(_Options):
    _init = "hearth_engine_options_init"
    _fields_ = [
        ("size", c.c_size_t), ("session", c.POINTER(SessionOptions)), ("max_queue", c.c_int32),
        ("prompt_share", c.c_double), ("embedder", c.POINTER(EmbedderOptions)),
    ]


class EngineRequest(_Options):
    _init = "hearth_engine_request_init"
    _fields_ = [
        ("size", c.c_size_t), ("prompt", c.POINTER(c.c_int32)), ("n_prompt", c.c_size_t),
        ("generate", c.POINTER(GenerateOptions)), ("n", c.c_int32), ("priority", c.c_int32), ("reuse_prefix", c.c_bool),
        ("report_prompt", c.c_bool), ("n_alternatives", c.c_int32), ("has_adapters", c.c_bool),
        ("adapters", c.c_void_p), ("n_adapters", c.c_size_t),
    ]


def _call(name, *arguments):
    """Calls a function that ends with an error, and raises it."""
    error = _Error()
    if getattr(_lib, name)(*arguments, c.byref(error)) != 0:
        _lib.hearth_error_code_name.restype = c.c_char_p
        code = _lib.hearth_error_code_name(error.code).decode()
        raise Error(code, error.message.decode("utf-8", "replace"))


def _pass(text):
    """A text as pointer and length."""
    raw = text.encode() if isinstance(text, str) else text
    return raw, c.c_size_t(len(raw))


class _Handle:
    """Owns what a function gave, and releases it with the object."""

    _free = None

    def __init__(self, name, *arguments):
        self._as_parameter_ = c.c_void_p()
        _call(name, *arguments, c.byref(self._as_parameter_))

    def close(self):
        pointer, self._as_parameter_ = getattr(self, "_as_parameter_", None), None
        if pointer:
            getattr(_lib, self._free)(pointer)

    def __del__(self):
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Model(_Handle):
    """The weights of a file, mapped; shared by everything that is made of it."""

    _free = "hearth_model_free"

    def __init__(self, path):
        super().__init__("hearth_model_open", os.fsencode(path), None)
        _lib.hearth_model_tokenizer.restype = c.c_void_p
        self.tokenizer = c.c_void_p(_lib.hearth_model_tokenizer(self))

    def encode(self, text, add_special=True):
        class EncodeOptions(_Options):
            _init = "hearth_encode_options_init"
            _fields_ = [("size", c.c_size_t), ("add_special", c.c_bool), ("parse_special", c.c_bool)]

        ids, n = c.POINTER(c.c_int32)(), c.c_size_t()
        how = EncodeOptions(add_special=add_special)
        _call("hearth_tokenizer_encode", self.tokenizer, *_pass(text), c.byref(how), c.byref(ids), c.byref(n))
        try:
            return ids[: n.value]
        finally:
            _lib.hearth_free(ids)


class Grammar(_Handle):
    """What may be written: a JSON schema, GBNF, or a regular expression."""

    _free = "hearth_grammar_free"

    def __init__(self, schema=None, gbnf=None, regex=None):
        if schema is not None:
            super().__init__("hearth_grammar_from_json_schema", *_pass(schema), None)
        elif gbnf is not None:
            super().__init__("hearth_grammar_from_gbnf", *_pass(gbnf), None)
        else:
            super().__init__("hearth_grammar_from_regex", *_pass(regex))


def _generate_options(greedy=False, seed=None, temperature=None, grammar=None, **options):
    sampler = SamplerOptions(greedy=greedy)
    if seed is not None:
        sampler.seed = seed
    if temperature is not None:
        sampler.temperature = temperature
    made = GenerateOptions(sampler=c.pointer(sampler), **options)
    made.keeps = (sampler, grammar)
    if grammar is not None:
        made.grammar = grammar._as_parameter_
    return made


def _text_of(generation):
    _lib.hearth_generation_text.restype = _Text
    try:
        return _lib.hearth_generation_text(generation).bytes().decode("utf-8", "replace")
    finally:
        _lib.hearth_generation_free(generation)


def _text_callback(on_text):
    if on_text is None:
        return TEXT_CALLBACK(0)

    def call(_user, data, size):
        return on_text(c.string_at(data, size).decode()) is not False

    return TEXT_CALLBACK(call)


class Session(_Handle):
    """One stream of computation. Options are those of HearthSessionOptions."""

    _free = "hearth_session_free"

    def __init__(self, model, **options):
        self.model = model
        super().__init__("hearth_session_create", model, c.byref(SessionOptions(**options)))

    def generate(self, prompt, on_text=None, **options):
        made, how = c.c_void_p(), _generate_options(**options)
        _call("hearth_session_generate", self, *_pass(prompt), c.byref(how), _text_callback(on_text), None, c.byref(made))
        return _text_of(made)


class Chat(_Handle):
    """A conversation through a session."""

    _free = "hearth_chat_free"

    def __init__(self, session):
        self.session = session
        super().__init__("hearth_chat_create", session, None, None)

    def say(self, text, on_text=None):
        made = c.c_void_p()
        _call("hearth_chat_say", self, *_pass(text), _text_callback(on_text), None, c.byref(made))
        _lib.hearth_chat_answer_text.restype = _Text
        answer = _lib.hearth_chat_answer_text(made).bytes().decode("utf-8", "replace")
        _lib.hearth_chat_answer_free(made)
        return answer


class Embedder(_Handle):
    """Texts to vectors: embed() gives one buffer of floats, row by row, and their width."""

    _free = "hearth_embedder_free"

    def __init__(self, model, **options):
        self.model = model
        super().__init__("hearth_embedder_create", model, c.byref(EmbedderOptions(**options)))

    def embed(self, texts):
        raw = [text.encode() for text in texts]
        list_of_texts = (_Text * len(raw))()
        for slot, one in zip(list_of_texts, raw):
            slot.data, slot.size = c.cast(c.c_char_p(one), c.c_void_p), len(one)
        values, width = c.POINTER(c.c_float)(), c.c_size_t()
        _call("hearth_embedder_embed", self, list_of_texts, c.c_size_t(len(raw)), c.byref(values), c.byref(width), None)
        try:
            return c.string_at(values, 4 * width.value * len(raw)), width.value
        finally:
            _lib.hearth_free(values)


class Engine(_Handle):
    """Many requests at once: submit() gives a ticket for wait()."""

    _free = "hearth_engine_free"

    def __init__(self, model, max_queue=4096, **session):
        self.model = model
        how = EngineOptions(session=c.pointer(SessionOptions(**session)), max_queue=max_queue)
        super().__init__("hearth_engine_create", model, c.byref(how))

    def submit(self, prompt, **options):
        ids = self.model.encode(prompt) if isinstance(prompt, str) else prompt
        how = _generate_options(**options)
        request = EngineRequest(prompt=(c.c_int32 * len(ids))(*ids), n_prompt=len(ids), generate=c.pointer(how))
        return Ticket(self, request)


class Ticket(_Handle):
    """A request that runs; wait() gives its text."""

    _free = "hearth_ticket_free"

    def __init__(self, engine, request):
        self.engine = engine
        super().__init__("hearth_engine_submit", engine, c.byref(request))

    def wait(self):
        made, n = c.POINTER(c.c_void_p)(), c.c_size_t()
        _call("hearth_ticket_wait", self, c.byref(made), c.byref(n))
        texts = [_text_of(c.c_void_p(made[i])) for i in range(n.value)]
        _lib.hearth_free(made)
        return texts[0]


def version():
    _lib.hearth_version.restype = c.c_char_p
    return _lib.hearth_version().decode()
