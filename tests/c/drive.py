"""Drives the library from Python as a program would: text, grammar, vectors, many requests, errors."""
import json
import struct
import sys

import hearth


def main(path):
    model = hearth.Model(path)
    session = hearth.Session(model, n_ctx=256, n_threads=1)
    pieces = []
    text = session.generate("Once upon a time", on_text=pieces.append, max_tokens=16, greedy=True)
    assert text and "".join(pieces) == text, (text, pieces)
    assert session.generate("Once upon a time", max_tokens=16, greedy=True) == text
    assert len(session.generate("Once", on_text=lambda piece: False, max_tokens=16)) < len(text)

    schema = """{"type": "object", "properties": {"mood": {"enum": ["good", "bad"]}}, "required": ["mood"],
                 "additionalProperties": false}"""
    answer = session.generate("Anna laughs.", grammar=hearth.Grammar(schema=schema), max_tokens=64)
    assert json.loads(answer)["mood"] in ("good", "bad"), answer

    with hearth.Embedder(model, n_threads=1) as embedder:
        raw, width = embedder.embed(["the cat sat", "a kite", "the cat sat"])
        rows = [struct.unpack_from(f"{width}f", raw, 4 * width * i) for i in range(3)]
        assert rows[0] == rows[2] != rows[1]

    engine = hearth.Engine(model, n_ctx=512, n_seqs=2, n_threads=1)
    tickets = [engine.submit("Once upon a time", max_tokens=16, greedy=True) for _ in range(5)]
    assert [ticket.wait() for ticket in tickets] == [text] * 5

    for wrong, code in ((lambda: hearth.Model("no-such-file.gguf"), "not_found"),
                        (lambda: hearth.Grammar(gbnf="root ::= ("), "format"),
                        (lambda: hearth.Session(model, n_ctx=-3), "invalid_argument")):
        try:
            wrong()
        except hearth.Error as error:
            assert str(error).startswith(code), error
        else:
            raise AssertionError("no error")
    print("hearth", hearth.version(), "from Python:", text)


main(sys.argv[1])
