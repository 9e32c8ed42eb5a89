#!/usr/bin/env python3
"""What a limit of memory costs: the training step of four models within less and less memory.

    ./dev bench memory

For each model first the memory that its step takes without a limit, then limits of halves and quarters of it, and the
least that is possible; the shortest step of several rounds, in which all limits take turns.
"""
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

DESCENT = Path(__file__).resolve().parent.parent / "build" / "descent"
ROUNDS = 3

TARGET = "    target y: [n, 1]\n"
MODELS = {
    "32 dense layers of 128": ("    input  x: [n, 128]\n" + TARGET + "    let h = x\n"
                               "    repeat 32 { h = h |> dense(128) |> relu }\n"
                               "    output p = h |> dense(1) |> sigmoid\n    loss = bce(p, y)\n", 256),
    "a GRU of 32 units, unrolled 40 times": ("    input  x: [n, 40, 4]\n" + TARGET +
                                             "    let cell = gru_cell(reset_after = false)\n"
                                             "    let h = dense(x[:, 0], 32)\n"
                                             "    for k in 0..40 { h = cell(x[:, k], h) }\n"
                                             "    output p = dense(h, 1)\n    loss = mse(p, y)\n", 64),
    "4 convolutions with batch_norm": ("    input  x: [n, 24, 24, 1]\n" + TARGET + "    let h = x\n"
                                       "    repeat 4 { h = h |> conv2d(8) |> batch_norm |> relu }\n"
                                       "    output p = reshape(h, [count(y), 2048]) |> dense(1) |> sigmoid\n"
                                       "    loss = bce(p, y)\n", 64),
    "a transformer block": ("    input  x: [n, 32, 32]\n" + TARGET +
                            "    let a = x + multi_head_attention(layer_norm(x), heads = 4)\n"
                            "    let h = a + (layer_norm(a) |> dense(128) |> gelu |> dense(32))\n"
                            "    output p = reshape(h, [count(y), 1024]) |> dense(1) |> sigmoid\n"
                            "    loss = bce(p, y)\n", 64),
}


def bench(body, batch, limit, folder):
    """The figures of the step, or the error."""
    memory = f"    memory    = {limit}\n" if limit else ""
    path = Path(folder) / "model.descent"
    path.write_text(f"model m {{\n{body}}}\n\ntrain {{\n    optimizer = adam(0.001)\n    batch     = {batch}\n{memory}}}\n")
    run = subprocess.run([DESCENT, "bench", path, "--seconds", "0.5", "--json"], capture_output=True, text=True,
                         env={**os.environ, "DESCENT_CACHE": str(Path(folder) / "cache")})
    return json.loads(run.stdout) if run.returncode == 0 else run.stderr


def main():
    print("| model, batch | limit | memory | kernels | flops | step, us | slower by |\n|---|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for name, (body, batch) in MODELS.items():
            error = bench(body, batch, "1 KiB", folder)
            least = re.search(r"memory = (\S+ \S+),", error)
            assert least, error
            whole = bench(body, batch, "", folder)["arena_bytes"]
            # The least is rounded up, so that it is enough.
            limits = ["", f"{whole // 2048} KiB", f"{whole // 4096} KiB", least[1]]
            results = {}
            for _ in range(ROUNDS):
                for limit in limits:
                    result = bench(body, batch, limit, folder)
                    if isinstance(result, dict):
                        known = results.setdefault(limit, result)
                        known["step_us_min"] = min(known["step_us_min"], result["step_us_min"])
            first = results[""]
            for limit, result in results.items():
                print(f"| {name if not limit else ''}{f', {batch}' if not limit else ''} | {limit or 'none'} "
                      f"| {result['arena_bytes'] / 1024:,.0f} KiB | {result['kernels']} "
                      f"| {result['flops'] / 1e6:.1f} M | {result['step_us_min']:.0f} "
                      f"| {100 * (result['step_us_min'] / first['step_us_min'] - 1):.0f} % |")


if __name__ == "__main__":
    main()
