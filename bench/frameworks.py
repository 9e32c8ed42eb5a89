#!/usr/bin/env python3
"""The models of the benchmarks in JAX and PyTorch: how long until the first training step, and how long every other.

    python3 bench/frameworks.py jax '{"widths": [30, 16, 1], "batch": 32, "optimizer": "sgd"}' [SECONDS]

Prints one JSON object. `import_ms` is what importing the framework takes, `first_step_ms` what comes after that until the
first step has been made: tracing, compiling and running it. Where SECONDS are given, steps are timed for so long each way:
JAX called once a step (`call_us`) and with 100 steps in a lax.scan (`scan_us`), PyTorch as written (`eager_us`) and with
the loss through torch.compile (`compiled_us`); the least of all rounds counts. `./dev frameworks` installs both in
build/frameworks. Recurrent layers are unrolled, unless the model says `"own"`: then they are a lax.scan in JAX and the
layers that PyTorch has.
"""
import json
import os
import sys
import time
from types import SimpleNamespace

import numpy


def data(model):
    random = numpy.random.default_rng(1)
    widths, batch = model["widths"], model["batch"]
    if model.get("recurrent"):
        units, steps = model["recurrent"], model["steps"]
        gates = units * (4 if model.get("cell") == "lstm" else 3)
        shapes = [(widths[0], gates), (units, gates), (gates,), (units, 1), (1,)]
        x = random.standard_normal((batch, steps, widths[0]))
    elif model.get("blocks"):
        d, steps = widths[0], model["steps"]
        attention = [(d,), (d,), (d, 3 * d), (3 * d,), (d, d), (d,)]
        shapes = (attention + [(d,), (d,), (d, 4 * d), (4 * d,), (4 * d, d), (d,)]) * model["blocks"]
        shapes += [(steps * d, 1), (1,)]
        x = random.standard_normal((batch, steps, d))
    else:
        filters, size = model.get("filters", []), model.get("image")
        shapes = [s for i, o in zip([1] + filters, filters) for s in ((3, 3, i, o), (o,))]
        shapes += [s for i, o in zip(widths, widths[1:]) for s in ((i, o), (o,))]
        x = random.standard_normal((batch, size, size, 1) if filters else (batch, widths[0]))
    parameters = [(random.standard_normal(s) * 0.1).astype(numpy.float32) for s in shapes]
    return parameters, x.astype(numpy.float32), random.integers(0, 2, (batch, 1)).astype(numpy.float32)


def gru(ops, units, u, a, h):
    gates = h @ u[:, : 2 * units]
    r = ops.sigmoid(a[:, :units] + gates[:, :units])
    z = ops.sigmoid(a[:, units : 2 * units] + gates[:, units:])
    return z * h + (1 - z) * ops.tanh(a[:, 2 * units :] + (r * h) @ u[:, 2 * units :])


def lstm(ops, units, u, a, state):
    h, c = state
    a = a + h @ u
    i, f, o = (ops.sigmoid(a[:, g * units : (g + 1) * units]) for g in (0, 1, 3))
    c = f * c + i * ops.tanh(a[:, 2 * units : 3 * units])
    return o * ops.tanh(c), c


def block(ops, heads, parameters, h):
    """Attention and a small network, each of what is normalised and added to what it is given."""
    scale, shift, w, b, w_out, b_out, scale2, shift2, w1, b1, w2, b2 = parameters
    n, steps, d = h.shape
    a = (ops.norm(h, scale, shift) @ w + b).reshape(n, steps, 3, heads, d // heads)
    seen = ops.attention(*(a[:, :, i].swapaxes(1, 2) for i in range(3)))
    h = h + seen.swapaxes(1, 2).reshape(n, steps, d) @ w_out + b_out
    return h + ops.gelu(ops.norm(h, scale2, shift2) @ w1 + b1) @ w2 + b2


def forward(model, parameters, x, ops):
    """The logit of every row. `convolution` keeps the size of images, `largest` is that of every window."""
    h = x
    if model.get("recurrent") and model.get("own"):
        h = ops.recurrent(parameters[:-2], x)
    elif model.get("recurrent"):
        w, u, b = parameters[:3]
        h = ops.zeros((x.shape[0], model["recurrent"]))
        for step in range(model["steps"]):
            h = gru(ops, model["recurrent"], u, x[:, step] @ w + b, h)
    elif model.get("blocks"):
        for at in range(0, 12 * model["blocks"], 12):
            h = block(ops, model["heads"], parameters[at : at + 12], h)
        h = h.reshape(x.shape[0], -1)
    else:
        layers = parameters
        for _ in model.get("filters", []):
            w, b, *layers = layers
            h = ops.largest(ops.relu(ops.convolution(h, w, b)), 2)
        h = h.reshape(x.shape[0], -1)
        for w, b in zip(layers[0:-2:2], layers[1:-2:2]):
            h = ops.relu(h @ w + b)
    return h @ parameters[-2] + parameters[-1]


def least_us(run, steps, seconds):
    """Microseconds a step, where `run` makes `steps` of them: the shortest of as many rounds as fit in the time."""
    run()
    least, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        run()
        least = min(least, time.perf_counter() - begin)
    return 1e6 * least / steps


def run_jax(model, seconds):
    begin = time.perf_counter()
    import jax
    import jax.numpy as jnp

    imported = time.perf_counter()
    parameters, x, y = data(model)

    def convolution(h, w, b):
        return jax.lax.conv_general_dilated(h, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + b

    def largest(h, size):
        return jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, (1, size, size, 1), (1, size, size, 1), "VALID")

    def recurrent(p, x):
        w, u, b = p
        h = jnp.zeros((x.shape[0], model["recurrent"]))
        cell, state = (lstm, (h, h)) if model.get("cell") == "lstm" else (gru, h)
        walk = lambda state, a: (cell(ops, model["recurrent"], u, a, state), None)
        state, _ = jax.lax.scan(walk, state, (x @ w + b).swapaxes(0, 1))
        return state[0] if cell is lstm else state

    def norm(h, scale, shift):
        centred = h - h.mean(-1, keepdims=True)
        return centred / jnp.sqrt((centred * centred).mean(-1, keepdims=True) + 1e-5) * scale + shift

    def attention(q, k, v):
        return jax.nn.softmax(q @ k.swapaxes(2, 3) / q.shape[-1] ** 0.5) @ v

    ops = SimpleNamespace(
        relu=jax.nn.relu, sigmoid=jax.nn.sigmoid, tanh=jnp.tanh, zeros=jnp.zeros, convolution=convolution,
        largest=largest, recurrent=recurrent, norm=norm, attention=attention,
        gelu=lambda h: jax.nn.gelu(h, approximate=False),
    )

    def loss(p, x, y):
        z = forward(model, p, x, ops)
        return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))

    def sgd(p, state, step, x, y):
        value, gradients = jax.value_and_grad(loss)(p, x, y)
        return value, [w - 0.01 * g for w, g in zip(p, gradients)], state

    def adam(p, state, step, x, y):
        value, gradients = jax.value_and_grad(loss)(p, x, y)
        m = [0.9 * a + 0.1 * g for a, g in zip(state[0], gradients)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(state[1], gradients)]
        new = [
            w - 1e-3 * (a / (1 - 0.9**step)) / (jnp.sqrt(b / (1 - 0.999**step)) + 1e-8) for w, a, b in zip(p, m, v)
        ]
        return value, new, (m, v)

    zeros = [numpy.zeros_like(p) for p in parameters]
    update = adam if model["optimizer"] == "adam" else sgd
    step = jax.jit(update)
    jax.block_until_ready(step(parameters, (zeros, zeros), 1.0, x, y))
    result = {"import_ms": 1e3 * (imported - begin), "first_step_ms": 1e3 * (time.perf_counter() - imported)}
    if seconds == 0:
        return result

    arrays = jax.device_put((parameters, (zeros, zeros), x, y))
    group = 16

    def calls():
        p, state, x, y = arrays
        for i in range(group):
            value, p, state = step(p, state, i + 1.0, x, y)
        jax.block_until_ready((value, p, state))

    @jax.jit
    def scan(p, state, x, y):
        def body(carry, i):
            value, *new = update(*carry, i + 1.0, x, y)
            return tuple(new), value

        return jax.lax.scan(body, (p, state), jnp.arange(100.0))

    result["call_us"] = least_us(calls, group, seconds)
    result["scan_us"] = least_us(lambda: jax.block_until_ready(scan(*arrays)), 100, seconds)
    return result


def run_torch(model, seconds):
    begin = time.perf_counter()
    import torch

    imported = time.perf_counter()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    parameters, x, y = data(model)
    # Its kernels are [out, in, height, width], its images [n, channels, height, width]; both with the channels innermost
    # in memory, as its documentation advises on processors.
    first = [torch.from_numpy(p) for p in parameters]
    first = [p.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last) if p.dim() == 4 else p for p in first]
    parameters = [torch.nn.Parameter(p) for p in first]
    if model.get("own"):
        layer = torch.nn.LSTM if model.get("cell") == "lstm" else torch.nn.GRU
        layer = layer(x.shape[2], model["recurrent"], batch_first=True)
        parameters = list(layer.parameters()) + parameters[-2:]
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    if x.dim() == 4:
        x = x.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    make = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[model["optimizer"]]
    optimizer = make(parameters, lr=1e-3)

    functional = torch.nn.functional

    def convolution(h, w, b):
        return functional.conv2d(h, w, b, padding=1)

    ops = SimpleNamespace(
        relu=torch.relu, sigmoid=torch.sigmoid, tanh=torch.tanh, zeros=torch.zeros, convolution=convolution,
        largest=functional.max_pool2d, recurrent=lambda p, x: layer(x)[0][:, -1],
        norm=lambda h, scale, shift: functional.layer_norm(h, scale.shape, scale, shift),
        attention=functional.scaled_dot_product_attention, gelu=functional.gelu,
    )

    def loss(x, y):
        z = forward(model, parameters, x, ops)
        return functional.binary_cross_entropy_with_logits(z, y)

    compiled = torch.compile(loss)

    def step(loss):
        optimizer.zero_grad()
        loss(x, y).backward()
        optimizer.step()

    step(compiled)
    result = {"import_ms": 1e3 * (imported - begin), "first_step_ms": 1e3 * (time.perf_counter() - imported)}
    if seconds > 0:
        result["eager_us"] = least_us(lambda: step(loss), 1, seconds)
        result["compiled_us"] = least_us(lambda: step(compiled), 1, seconds)
    return result


def main():
    framework, model = sys.argv[1], json.loads(sys.argv[2])
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0
    print(json.dumps({"jax": run_jax, "torch": run_torch}[framework](model, seconds)))


if __name__ == "__main__":
    main()
