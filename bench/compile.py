#!/usr/bin/env python3
"""How long Descent takes to the first step: with an empty cache and from the cache, beside JAX and torch.compile.

    ./dev bench compile [--json FILE] [--docs] [--rounds N] [--framework-rounds N]

Every figure is the least of several rounds, each in a process of its own; all models take turns, so that what else runs
on the machine falls on all of them. JAX and PyTorch are measured where `./dev frameworks` has installed them. --docs
writes docs/compile-times.md.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DESCENT = ROOT / "build" / "descent"
PYTHON = ROOT / "build" / "frameworks" / "bin" / "python3"


def dense(widths, batch, optimizer):
    """A multi-layer perceptron for binary classification."""
    runs, layers = [], ""
    for width in widths[1:-1]:  # equal layers in a row are one line
        if runs and runs[-1][0] == width:
            runs[-1][1] += 1
        else:
            runs.append([width, 1])
    for width, count in runs:
        layers += f"    repeat {count} {{ h = h |> dense({width}) |> relu }}\n"
    text = f"    let h = x\n{layers}    output p = h |> dense(1) |> sigmoid\n"
    return {"widths": widths, "batch": batch, "optimizer": optimizer, "shape": f"[n, {widths[0]}]", "body": text}


def recurrent(inputs, units, steps, batch, cell="gru", own=False):
    return {
        "cell": cell,
        "own": own,
        "widths": [inputs, units, 1],
        "recurrent": units,
        "steps": steps,
        "batch": batch,
        "optimizer": "adam",
        "shape": f"[n, {steps}, {inputs}]",
        "body": f"    output p = x |> {cell}({units}) |> dense(1) |> sigmoid\n",
    }


def transformer(width, heads, steps, blocks, batch):
    body = "    let h = x\n"
    body += f"    repeat {blocks} {{\n"
    body += f"        let a = h + multi_head_attention(layer_norm(h), heads = {heads})\n"
    body += f"        h = a + (layer_norm(a) |> dense({4 * width}) |> gelu |> dense({width}))\n    }}\n"
    body += f"    output p = reshape(h, [n, {steps * width}]) |> dense(1) |> sigmoid\n"
    return {
        "widths": [width, 1],
        "blocks": blocks,
        "heads": heads,
        "steps": steps,
        "batch": batch,
        "optimizer": "adam",
        "shape": f"[n, {steps}, {width}]",
        "body": body,
    }


def convolutional(size, filters, width, batch):
    """Convolutions of 3 x 3 pixels, each with relu and the largest of 2 x 2 pixels behind it, then two dense layers."""
    layers = "".join(f" |> conv2d({f}, padding = 1) |> relu |> max_pool2d" for f in filters)
    body = f"    let h = x{layers}\n"
    inputs = (size >> len(filters)) ** 2 * filters[-1]
    body += f"    output p = reshape(h, [n, {inputs}]) |> dense({width}) |> relu |> dense(1) |> sigmoid\n"
    return {
        "widths": [inputs, width, 1],
        "image": size,
        "filters": filters,
        "batch": batch,
        "optimizer": "adam",
        "shape": f"[n, {size}, {size}, 1]",
        "body": body,
    }


MODELS = {  # with what compiling them may take, in ms
    "logistic": (dense([30, 1], 569, "sgd"), 30),
    "tiny": (dense([30, 16, 1], 32, "sgd"), 30),
    "small": (dense([30, 64, 32, 1], 64, "adam"), 30),
    "medium": (dense([784, 256, 128, 1], 128, "adam"), 30),
    "deep (65 layers)": (dense([64] * 65 + [1], 64, "sgd"), 60),
    "1,000 layers": (dense([64] * 1000 + [1], 64, "sgd"), 500),
    "GRU of 100 steps": (recurrent(8, 16, 100, 32), 150),
}
TOO_LARGE_FOR_OTHERS = {"1,000 layers"}  # minutes
FRAMEWORK_SECONDS = 90  # a framework that takes longer is not waited for


def source(model):
    rate = {"sgd": "sgd(lr = 0.01)", "adam": "adam(lr = 1e-3)"}[model["optimizer"]]
    return (
        f"model benchmark {{\n    input  x: {model['shape']}\n    target y: [n, 1]\n{model['body']}"
        f"    loss = bce(p, y)\n}}\n\ntrain {{\n    optimizer = {rate}\n    batch     = {model['batch']}\n}}\n"
    )


def output(command, cache="off", seconds=None):
    done = subprocess.run(
        [str(c) for c in command],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, "DESCENT_CACHE": str(cache)},
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def children_ms():
    """Processor time of all processes that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e3 * (usage.ru_utime + usage.ru_stime)


def compile_ms(file, cache="off"):
    """What descent itself counts, from the text to code that can be called; and the processor time of the whole run."""
    begin = children_ms()
    text = output([DESCENT, "bench", file, "--seconds", "0.01", "--json"], cache)
    return json.loads(text.splitlines()[-1])["compile_ms"], children_ms() - begin


def measure_models(rounds, folder):
    files, rows = {}, {}
    for name, (model, limit) in MODELS.items():
        files[name] = folder / (name.replace(" ", "_").replace(",", "") + ".descent")
        files[name].write_text(source(model))
        keys = ("cold_ms", "cached_ms", "cold_run_processor_ms", "cached_run_processor_ms")
        rows[name] = {"limit_ms": limit, **{key: float("inf") for key in keys}}
        compile_ms(files[name], folder / "cache")  # fills it
    for _ in range(rounds):
        for name, file in files.items():
            row = rows[name]
            for kind, cache in (("cold", "off"), ("cached", folder / "cache")):
                ms, processor_ms = compile_ms(file, cache)
                row[f"{kind}_ms"] = min(row[f"{kind}_ms"], ms)
                row[f"{kind}_run_processor_ms"] = min(row[f"{kind}_run_processor_ms"], processor_ms)
    return rows


def has(framework):
    return PYTHON.exists() and subprocess.run([PYTHON, "-c", f"import {framework}"], capture_output=True).returncode == 0


def measure_framework(framework, rounds, rows):
    given_up = set(TOO_LARGE_FOR_OTHERS)
    for _ in range(rounds):
        for name, (model, _limit) in MODELS.items():
            if name in given_up:
                continue
            command = [PYTHON, ROOT / "bench" / "frameworks.py", framework, json.dumps(model)]
            try:
                text = output(command, seconds=FRAMEWORK_SECONDS)
            except subprocess.TimeoutExpired:
                given_up.add(name)
                rows[name].setdefault(f"{framework}_first_step_ms", float("inf"))
                continue
            for key, value in json.loads(text.splitlines()[-1]).items():
                key = f"{framework}_{key}"
                rows[name][key] = min(rows[name].get(key, float("inf")), value)


def run_once(command, cache):
    """Wall-clock milliseconds and the peak of resident memory of a process, in MB."""
    begin = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.environ["DESCENT_CACHE"] = str(cache)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.execv(command[0], command)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} failed")
    return 1e3 * (time.perf_counter() - begin), usage.ru_maxrss / 1024


def measure_run(rounds, folder):
    command = [str(DESCENT), "train", str(ROOT / "examples" / "tumour.descent"), "--save", str(folder / "weights")]
    result = {}
    for name, cache in (("cold", "off"), ("cached", folder / "cache")):
        run_once(command, cache)
        runs = [run_once(command, cache) for _ in range(rounds)]
        result[name] = {"ms": min(r[0] for r in runs), "peak_mb": max(r[1] for r in runs)}
    return result


def stage_table(file):
    """What `--time-passes` says of one cold run: milliseconds by stage, of all threads together."""
    done = subprocess.run(
        [str(DESCENT), "bench", str(file), "--seconds", "0.01", "--time-passes"],
        capture_output=True,
        text=True,
        env={**os.environ, "DESCENT_CACHE": "off"},
    )
    lines = ["| stage | ms | share |", "|---|---|---|"]
    for line in done.stderr.splitlines():
        words = line.split()
        if len(words) >= 3 and words[-1].endswith("%"):
            lines.append(f"| {' '.join(words[:-2])} | {words[-2]} | {words[-1]} |")
    return "\n".join(lines)


def table(rows, run, frameworks):
    heads = ["model", "cold", "goal", "from the cache", "cold, processor time"] + [f"{f}, first step" for f in frameworks]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name, row in rows.items():
        processor_ms = row["cold_run_processor_ms"] - row["cached_run_processor_ms"]
        cells = [name, f"{row['cold_ms']:.1f}", str(row["limit_ms"]), f"{row['cached_ms']:.2f}", f"{processor_ms:.0f}"]
        for framework in frameworks:
            value = row.get(f"{framework}_first_step_ms")
            cells.append("" if value is None else f"{value:.0f}" if value < float("inf") else f"> {1000 * FRAMEWORK_SECONDS}")
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| `descent train examples/tumour.descent`, whole process | ms | peak of resident memory, MB |", "|---|---|---|"]
    for name, figures in run.items():
        lines.append(f"| {'from the cache' if name == 'cached' else name} | {figures['ms']:.1f} | {figures['peak_mb']:.1f} |")
    return "\n".join(lines)


def load_note(load):
    """What a reader must know of figures that were taken on a machine with other work."""
    if load < 0.5:
        return ""
    return (
        f" The machine had other work meanwhile (a load of {load:.1f} before this began on {os.cpu_count()} processors): on a quiet one"
        " all of these figures are smaller."
    )


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} processors"
    return "unknown processor"


DOCUMENT = """# Milliseconds to the first step

`./dev bench compile --docs` has written this page, on {processor}. Milliseconds from the text of a model to a training
step that can be called: the least of {rounds} rounds, each in a process of its own. *Cold* is without any cache, and includes
loading LLVM, whose code `./dev order` has laid out; *processor time* is what all threads together take more for it than from the cache, and hardly depends on
what else the machine does. Frameworks are measured from after their import to the end of the first step, where `./dev frameworks` has
installed them{absent}.{load}

{table}

`--time-passes` of `descent train`, `bench`, `dump`, `evaluate` and `predict` shows where the time goes. Of the model *small*, in
milliseconds of all threads together:

{stages}

What LLVM does grows with the number of different kernels (of large products those that differ in sizes alone are one), everything before it with the number of nodes of the graph.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--docs", action="store_true", help="write docs/compile-times.md")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--framework-rounds", type=int, default=3)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    frameworks = [f for f in ("jax", "torch") if has(f)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = measure_models(arguments.rounds, folder)
        run = measure_run(arguments.rounds, folder)
        stages = stage_table(folder / "small.descent")
    for framework in frameworks:
        measure_framework(framework, min(arguments.rounds, arguments.framework_rounds), rows)
    text = table(rows, run, frameworks)
    absent = [f for f in ("jax", "torch") if f not in frameworks]
    print(text)
    if absent:
        print(f"\nnot installed (./dev frameworks {' '.join(absent)}): {', '.join(absent)}", file=sys.stderr)
    if arguments.json:
        arguments.json.write_text(json.dumps({"processor": processor(), "models": rows, "train": run}, indent=2) + "\n")
    if arguments.docs:
        missing = f"; here {' and '.join(absent)} {'was' if len(absent) == 1 else 'were'} not" if absent else ""
        page = DOCUMENT.format(processor=processor(), rounds=arguments.rounds, absent=missing, load=load_note(load), table=text, stages=stages)
        (ROOT / "docs" / "compile-times.md").write_text(page)


if __name__ == "__main__":
    main()
