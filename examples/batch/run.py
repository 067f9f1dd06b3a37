#!/usr/bin/env python3
"""A corpus through a model: Parquet in, Parquet out, on Apache Spark.

    run.py embed corpus.parquet vectors/ --model bge-small.gguf
    run.py label reviews.parquet labels/ --model qwen3-4b.gguf --labels good bad --prompt 'Review: {}\\nIt is '

The corpus has a column `id` and a column `text`; the output has `id` and `vector` or `label`. Spark's partitions are
mapped over the library: each worker process opens the model once (mapped: the processes of a machine share its pages)
and computes with --threads threads. A run that was interrupted goes on where it stopped: the corpus is cut into --chunks
by a hash of the id, and a chunk that is complete is not computed again.

--alone does the same in this one process, without Spark: to compare, or where one machine is enough.
"""
import argparse
import json
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python")]


def read_settings():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("task", choices=["embed", "label"])
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--model", required=True)
    parser.add_argument("--labels", nargs="+", default=["yes", "no"])
    parser.add_argument("--prompt", default="{}\n", help="a text in which {} stands for the line")
    parser.add_argument("--threads", type=int, default=1, help="of each worker process")
    parser.add_argument("--chunks", type=int, default=8, help="parts after which a run can go on")
    parser.add_argument("--master", default="local[2]", help="as for spark-submit")
    parser.add_argument("--alone", action="store_true", help="in this process, without Spark")
    return parser.parse_args()


def map_arrow(settings):
    """A function from batches of rows to batches of results, to be run by Spark's workers."""

    def run(batches):
        import pyarrow

        import batch

        for rows in batches:
            made = batch.work(rows.column("text").to_pylist(), settings)
            kind = pyarrow.list_(pyarrow.float32()) if settings["task"] == "embed" else pyarrow.string()
            made = pyarrow.array(made, kind)
            yield pyarrow.RecordBatch.from_arrays([rows.column("id"), made], ["id", settings["column"]])

    return run


def on_spark(options, settings):
    from pyspark.sql import SparkSession, functions

    builder = SparkSession.builder.master(options.master).appName("hearth").config("spark.ui.enabled", "false")
    # Larger batches of rows keep the model busy; workers stay, and with them the model.
    builder = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", "2048").config("spark.python.worker.reuse", "true")
    builder = builder.config("spark.executorEnv.HEARTH_LIBRARY", os.environ.get("HEARTH_LIBRARY", "libhearth.so"))
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    for name in (HERE / "batch.py", HERE.parent / "python" / "hearth.py"):
        spark.sparkContext.addPyFile(str(name))
    corpus = spark.read.parquet(options.input).select("id", "text")
    chunk = functions.pmod(functions.xxhash64("id"), functions.lit(options.chunks))
    kind = corpus.schema["id"].dataType.simpleString()
    column = "vector array<float>" if options.task == "embed" else "label string"
    n_tasks = spark.sparkContext.defaultParallelism
    seconds = lines = 0
    for i in range(options.chunks):
        target = pathlib.Path(options.output) / f"chunk={i}"
        if (target / "_SUCCESS").exists():
            print(f"chunk {i + 1} of {options.chunks}: is there", file=sys.stderr)
            continue
        begin = time.monotonic()
        part = corpus.where(chunk == i).repartition(n_tasks)
        part.mapInArrow(map_arrow(settings), f"id {kind}, {column}").write.mode("overwrite").parquet(str(target))
        seconds += time.monotonic() - begin
        lines += spark.read.parquet(str(target)).count()
        print(f"chunk {i + 1} of {options.chunks}: {lines} lines in {seconds:.1f} s", file=sys.stderr)
    spark.stop()
    return lines, seconds


def alone(options, settings):
    import pyarrow
    import pyarrow.parquet as parquet

    import batch

    os.makedirs(options.output, exist_ok=True)
    table = parquet.read_table(options.input, columns=["id", "text"])
    seconds = lines = 0
    step = -(-table.num_rows // options.chunks)
    for i in range(options.chunks):
        target = os.path.join(options.output, f"chunk-{i}.parquet")
        part = table.slice(i * step, step)
        if os.path.exists(target) or part.num_rows == 0:
            continue
        begin = time.monotonic()
        made = batch.work(part.column("text").to_pylist(), settings)
        out = pyarrow.table({"id": part.column("id"), settings["column"]: made})
        parquet.write_table(out, target + ".tmp")
        os.replace(target + ".tmp", target)
        seconds += time.monotonic() - begin
        lines += part.num_rows
        print(f"chunk {i + 1} of {options.chunks}: {lines} lines in {seconds:.1f} s", file=sys.stderr)
    return lines, seconds


def main():
    options = read_settings()
    settings = {
        "task": options.task,
        "model": os.path.abspath(options.model),
        "labels": options.labels,
        "prompt": options.prompt.replace("\\n", "\n"),
        "threads": options.threads,
        "column": "vector" if options.task == "embed" else "label",
    }
    lines, seconds = (alone if options.alone else on_spark)(options, settings)
    print(json.dumps({"lines": lines, "seconds": round(seconds, 3), "lines_per_second": round(lines / max(seconds, 1e-9), 1)}))


main()
