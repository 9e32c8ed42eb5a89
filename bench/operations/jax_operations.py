#!/usr/bin/env python3
"""Counts the operations of a training step in JAX, for the models of this folder, after XLA's simplifications.

    python3 -m venv ~/jax && ~/jax/bin/pip install -r bench/operations/requirements.txt
    ~/jax/bin/python bench/operations/jax_operations.py > bench/operations/jax.json

A step is the loss, its gradients and plain gradient descent, of a batch of 32, written with the functions that JAX has
for the purpose (jax.nn.log_softmax, jax.nn.log_sigmoid, ...). For each model:

    operations         HLO instructions that compute: elementwise, reductions, contractions, gathers and scatters, of the
                       module that XLA for CPUs is left with when all its passes but fusion have run
    contractions       those of them that are products of matrices or convolutions
    largest_temporary  bytes of the largest tensor that the fused module stores and that is no result

XLA's flags are of the process, so that the script runs itself once for each of the two.
"""
import json
import os
import re
import subprocess
import sys

N = 32
# Instructions that say where elements are, or belong to the frame of the module.
MOVES = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "broadcast", "reshape", "transpose", "copy",
         "slice", "pad", "reverse", "concatenate", "iota", "fusion", "call", "convert", "while", "conditional",
         "bitcast-convert", "dynamic-slice", "dynamic-update-slice"}
CONTRACTIONS = {"dot", "convolution", "custom-call"}


def models():
    import jax
    import jax.numpy as jnp
    nn = jax.nn
    weight = lambda *shape: jnp.zeros(shape)
    dense = lambda i, o: {"w": weight(i, o), "b": weight(o)}
    apply = lambda p, x: x @ p["w"] + p["b"]
    bce = lambda z, y: -jnp.mean(y * nn.log_sigmoid(z) + (1 - y) * nn.log_sigmoid(-z))
    cross_entropy = lambda z, y: -jnp.mean(jnp.sum(y * nn.log_softmax(z), -1))
    mse = lambda p, y: jnp.mean((p - y) ** 2)

    def deep(p, x, y):
        h = x
        for layer in p[:-1]:
            h = jnp.tanh(apply(layer, h))
        return mse(apply(p[-1], h), y) + 1e-4 * sum(jnp.sum(layer["w"] ** 2) for layer in p)

    def perceptron(p, x, y):
        h = x
        for layer in p[:-1]:
            h = nn.relu(apply(layer, h))
        return bce(apply(p[-1], h), y)

    def convolution(p, x, y):
        seen = jax.lax.conv_general_dilated(x, p["k"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return cross_entropy(apply(p["out"], jnp.mean(nn.relu(seen + p["c"]), (1, 2))), y)

    def layer_norm(p, x, y):
        h = apply(p["in"], x)
        normal = (h - jnp.mean(h, -1, keepdims=True)) / jnp.sqrt(jnp.var(h, -1, keepdims=True) + 1e-5)
        return bce(apply(p["out"], nn.relu(normal * p["scale"] + p["shift"])), y)

    def attention(p, x, y):
        q, k, v = apply(p["q"], x), apply(p["k"], x), apply(p["v"], x)
        seen = nn.softmax(q @ jnp.swapaxes(k, -1, -2) / jnp.sqrt(q.shape[-1])) @ v
        return bce(apply(p["out"], jnp.mean(seen, 1)), y)

    def recurrent(p, x, y):
        units = 16
        a = x @ p["w"] + p["b"]
        h = jnp.zeros((x.shape[0], units))
        for t in range(x.shape[1]):
            gates = nn.sigmoid(a[:, t, :2 * units] + h @ p["u"][:, :2 * units])
            r, z = gates[:, :units], gates[:, units:]
            c = jnp.tanh(a[:, t, 2 * units:] + (r * h) @ p["u"][:, 2 * units:])
            h = (1 - z) * h + z * c
        return mse(apply(p["out"], h), y)

    def gradient_penalty(p, x, y):
        score = lambda x: apply(p["out"], jnp.tanh(apply(p["in"], x)))
        slope = jax.grad(lambda x: jnp.sum(score(x)))(x)
        return bce(score(x), y) + 0.01 * jnp.mean(jnp.sum(slope ** 2, 1))

    def variational(p, x, y):
        h = jnp.tanh(apply(p["in"], x))
        mu, log_variance = apply(p["mu"], h), apply(p["s"], h)
        return 0.5 * jnp.mean(log_variance + (mu - y) ** 2 / jnp.exp(log_variance))

    return {
        "linear": (lambda p, x, y: mse(apply(p, x), y), dense(30, 1), (N, 30), (N, 1)),
        "logistic": (lambda p, x, y: bce(apply(p, x), y), dense(30, 1), (N, 30), (N, 1)),
        "softmax": (lambda p, x, y: cross_entropy(apply(p, x), y), dense(64, 10), (N, 64), (N, 10)),
        "perceptron": (perceptron, [dense(30, 64), dense(64, 32), dense(32, 1)], (N, 30), (N, 1)),
        "deep": (deep, [dense(16, 32), dense(32, 32), dense(32, 32), dense(32, 32), dense(32, 1)], (N, 16), (N, 1)),
        "autoencoder": (lambda p, x, y: mse(nn.sigmoid(apply(p[1], nn.elu(apply(p[0], x)))), x),
                        [dense(64, 8), dense(8, 64)], (N, 64), (N, 1)),
        "convolution": (convolution, {"k": weight(3, 3, 1, 8), "c": weight(8), "out": dense(8, 10)}, (N, 8, 8, 1), (N, 10)),
        "layer_norm": (layer_norm, {"in": dense(30, 32), "scale": weight(32), "shift": weight(32), "out": dense(32, 1)},
                       (N, 30), (N, 1)),
        "attention": (attention, {"q": dense(16, 16), "k": dense(16, 16), "v": dense(16, 16), "out": dense(16, 1)},
                      (N, 8, 16), (N, 1)),
        "recurrent": (recurrent, {"w": weight(8, 48), "u": weight(16, 48), "b": weight(48), "out": dense(16, 1)},
                      (N, 4, 8), (N, 1)),
        "gradient_penalty": (gradient_penalty, {"in": dense(8, 16), "out": dense(16, 1)}, (N, 8), (N, 1)),
        "variational": (variational, {"in": dense(8, 16), "mu": dense(16, 1), "s": dense(16, 1)}, (N, 8), (N, 1)),
    }


def modules():
    """The HLO text of every model's step."""
    import jax
    import jax.numpy as jnp
    texts = {}
    for name, (loss, parameters, x, y) in models().items():
        def step(p, x, y):
            value, g = jax.value_and_grad(loss)(p, x, y)
            return value, jax.tree.map(lambda w, d: w - 0.1 * d, p, g)
        texts[name] = jax.jit(step).lower(parameters, jnp.zeros(x), jnp.zeros(y)).compile().as_text()
    return texts


def instructions(text):
    """(computation, type, opcode, is root) of every instruction."""
    computation = None
    for line in text.splitlines():
        header = re.match(r"^(ENTRY )?%?([\w.\-]+) .*\{$", line)
        if header:
            computation = "ENTRY" if header[1] else header[2]
            continue
        match = re.match(r"^\s+(ROOT )?%?[\w.\-]+ = (\([^)]*\)|\S+) ([\w\-]+)\(", line)
        if match:
            yield computation, match[2], match[3], bool(match[1])


def reducers(text):
    return set(re.findall(r"to_apply=%?([\w.\-]+)", text))


def size(kind):
    total = 0
    for bits, dims in re.findall(r"\b[a-z]+(\d+)\[([\d,]*)\]", kind):
        count = 1
        for d in filter(None, dims.split(",")):
            count *= int(d)
        total = max(total, count * int(bits) // 8)
    return total


def main():
    if len(sys.argv) > 1:
        json.dump(modules(), sys.stdout)
        return
    run = lambda flags: json.loads(subprocess.run(
        [sys.executable, __file__, "modules"], check=True, stdout=subprocess.PIPE,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}).stdout)
    simplified, fused = run("--xla_disable_hlo_passes=fusion"), run("")
    counts = {}
    for name, text in simplified.items():
        inside = reducers(text)
        ops = [op for where, _, op, _ in instructions(text) if where not in inside and op not in MOVES]
        stored = [size(kind) for where, kind, op, root in instructions(fused[name])
                  if where == "ENTRY" and op not in MOVES - {"fusion", "copy", "transpose", "call"} and not root]
        counts[name] = {"operations": len(ops), "contractions": sum(op in CONTRACTIONS for op in ops),
                        "largest_temporary": max(stored, default=0)}
    import jax
    print(json.dumps({"jax": jax.__version__, "batch": N, "models": counts}, indent=2))


if __name__ == "__main__":
    main()
