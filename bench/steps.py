#!/usr/bin/env python3
"""How long a training step takes in Descent, JAX and PyTorch, each on one processor or on several.

    ./dev frameworks jax torch && ./dev bench frameworks [--models NAME..] [--threads N] [--json FILE] [--rounds N] [--seconds S]

Contenders take turns, round after round, each in a process of its own that may use so many processors; the shortest time
counts. Frameworks that are not installed are left out, and models for which one takes too long. What a figure means:
bench/frameworks.py.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from compile import DESCENT, FRAMEWORK_SECONDS, MODELS, PYTHON, ROOT, convolutional, dense, has, output, recurrent, source, transformer

STEPS = {name: MODELS[name][0] for name in ("logistic", "tiny", "small", "medium", "deep (65 layers)")}
STEPS["large"] = dense([1024, 1024, 1024, 1], 256, "adam")
STEPS["convolutions"] = convolutional(28, [32, 64], 128, 64)
STEPS["wide convolutions"] = convolutional(32, [64, 128, 256, 512], 128, 16)
STEPS["GRU"] = recurrent(64, 128, 32, 64, "gru", own=True)
STEPS["LSTM"] = recurrent(64, 64, 32, 64, "lstm", own=True)
STEPS["transformer"] = transformer(64, 4, 64, 2, 32)
COLUMNS = {
    "descent": {"step_us_min": "Descent"},
    "jax": {"call_us": "JAX, a call", "scan_us": "JAX in lax.scan"},
    "torch": {"eager_us": "PyTorch", "compiled_us": "torch.compile"},
}

def limit_threads(threads):
    """For this process and those that it begins: so many processors, and no more threads than those."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:threads]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="*", choices=STEPS, default=list(STEPS), metavar="NAME")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="of steps, in each round and each way")
    arguments = parser.parse_args()
    limit_threads(arguments.threads)
    contenders = ["descent"] + [f for f in ("jax", "torch") if has(f)]
    steps = {name: STEPS[name] for name in arguments.models}
    rows = {name: {} for name in steps}
    too_slow = set()
    with tempfile.TemporaryDirectory() as folder:
        for done in range(arguments.rounds):
            for name, model in steps.items():
                print(f"round {done + 1} of {arguments.rounds}: {name}", file=sys.stderr)
                file = Path(folder) / "model.descent"
                file.write_text(source(model))
                for contender in contenders:
                    if (name, contender) in too_slow:
                        continue
                    command = [PYTHON, ROOT / "bench" / "frameworks.py", contender, json.dumps(model), arguments.seconds]
                    if contender == "descent":
                        command = [DESCENT, "bench", file, "--seconds", arguments.seconds]
                        command += ["--threads", arguments.threads, "--json"]
                    try:
                        figures = json.loads(output(command, seconds=FRAMEWORK_SECONDS).splitlines()[-1])
                    except subprocess.TimeoutExpired:
                        too_slow.add((name, contender))
                        continue
                    for key in COLUMNS[contender]:
                        rows[name][key] = min(rows[name].get(key, float("inf")), figures[key])
    columns = {key: title for contender in contenders for key, title in COLUMNS[contender].items()}
    print(f"| us a step, {arguments.threads} thread{'s' * (arguments.threads > 1)} | " + " | ".join(columns.values()) + " | fastest other / Descent |")
    print("|---" + "|--:" * (len(columns) + 1) + "|")
    for name, row in rows.items():
        others = [row[key] for key in columns if key != "step_us_min" and key in row]
        ratio = f"{min(others) / row['step_us_min']:.1f}" if others else ""
        print(f"| {name} | " + " | ".join(f"{row[key]:.4g}" if key in row else "-" for key in columns) + f" | {ratio} |")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
