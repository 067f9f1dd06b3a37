"""What a worker does with lines of text: vectors, or labels under a grammar. One model a process, mapped once, so that all
processes of a machine share its pages."""
import array
import time

import hearth

_opened = {}  # of this process: what was made for which settings


def _once(key, make):
    if key not in _opened:
        _opened[key] = make()
    return _opened[key]


def embed(texts, settings):
    """A list of lists of floats."""
    model = _once(settings["model"], lambda: hearth.Model(settings["model"]))
    embedder = _once(("embedder", settings["model"]), lambda: hearth.Embedder(model, n_threads=settings["threads"], truncate=True))
    rows = []
    for begin in range(0, len(texts), 256):
        raw, width = embedder.embed(texts[begin : begin + 256])
        values = array.array("f", raw)
        rows += [values[i : i + width].tolist() for i in range(0, len(values), width)]
    return rows


def label(texts, settings):
    """One of the labels for each text: the grammar lets nothing else be written."""
    model = _once(settings["model"], lambda: hearth.Model(settings["model"]))
    rule = " | ".join('"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in settings["labels"])
    grammar = _once(("grammar", rule), lambda: hearth.Grammar(gbnf="root ::= " + rule))
    engine = _once(("engine", settings["model"]), lambda: hearth.Engine(model, n_threads=settings["threads"], n_seqs=16, n_ctx=4096,
                                                   reuse_prefixes=True))
    tickets = [engine.submit(settings["prompt"].replace("{}", text), greedy=True, grammar=grammar, max_tokens=32)
               for text in texts]
    return [ticket.wait() for ticket in tickets]


WORK = {"embed": embed, "label": label}


def work(texts, settings):
    return WORK[settings["task"]](texts, settings)


def timed(texts, settings):
    begin = time.monotonic()
    made = work(texts, settings)
    return made, time.monotonic() - begin
