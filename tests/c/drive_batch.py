"""The worker of examples/batch without Spark: vectors in order, one of the labels for each line, errors that are raised."""
import sys

import batch
import hearth


def main(path):
    settings = {"task": "embed", "model": path, "threads": 1, "labels": ["good", "bad"], "prompt": "{}\nIt is "}
    lines = ["the cat sat", "a kite", "the cat sat"] * 100
    rows = batch.work(lines, settings)
    assert len(rows) == 300 and rows[0] == rows[2] == rows[299] != rows[1]
    labels = batch.work(lines[:20], dict(settings, task="label"))
    assert len(labels) == 20 and set(labels) <= {"good", "bad"}, labels
    assert batch.work(lines[:20], dict(settings, task="label")) == labels
    try:
        batch.work(lines, dict(settings, model="no-such-file.gguf"))
    except hearth.Error as error:
        assert "no-such-file" in str(error)
    print("labels:", labels[:3])


main(sys.argv[1])
