#!/usr/bin/env python3
"""Writes data/metrics.json and data/reductions.json: what scikit-learn gives for every metric of the prelude, and NumPy for
reductions and selections, with gradients by hand; in the form of make_reference.py.

    python3 -m venv venv && venv/bin/pip install scikit-learn numpy
    venv/bin/python tests/prelude/make_numpy_reference.py
"""
import json
import pathlib

import numpy as np
from sklearn import metrics

random = np.random.default_rng(20260102)
cases = []


def case(entry, expression, tensors, value):
    """An expression of tensors of 24 rows."""
    shapes = {name: "[n, " + ", ".join(str(s) for s in values.shape[1:]) + "]" for name, values in tensors.items()}
    cases.append({
        "entry": entry, "name": expression,
        "model": [f"input {name}: {shape}" for name, shape in shapes.items()] + [f"output value = {expression}"],
        "rows": 24, "tensors": {name: [float(v) for v in values.reshape(-1)] for name, values in tensors.items()},
        "predict": {"value": [float(value)]}})


def numbers(shape, low=0.0, high=1.0):
    return random.uniform(low, high, shape).astype(np.float32).astype(np.float64)


p = numbers((24, 1))
y = (numbers((24, 1)) < 0.3 + 0.5 * p).astype(np.float64)
said, strict, yes = (p >= 0.5).ravel(), (p >= 0.75).ravel(), y.ravel() == 1
case("accuracy", "accuracy(p, y)", {"p": p, "y": y}, metrics.accuracy_score(yes, said))
case("accuracy", "accuracy(p, y, threshold = 0.75)", {"p": p, "y": y}, metrics.accuracy_score(yes, strict))
case("precision", "precision(p, y)", {"p": p, "y": y}, metrics.precision_score(yes, said))
case("precision", "precision(p, y, threshold = 2)", {"p": p, "y": y},
     metrics.precision_score(yes, p.ravel() >= 2, zero_division=0))
case("recall", "recall(p, y, threshold = 0.75)", {"p": p, "y": y}, metrics.recall_score(yes, strict))
case("specificity", "specificity(p, y)", {"p": p, "y": y}, metrics.recall_score(~yes, ~said))
case("f1_score", "f1_score(p, y)", {"p": p, "y": y}, metrics.f1_score(yes, said))
case("f1_score", "f1_score(p, y, threshold = 0.75, beta = 2)", {"p": p, "y": y},
     metrics.fbeta_score(yes, strict, beta=2))
case("f1_score", "f1_score(p, 0 * y, threshold = 2)", {"p": p, "y": y}, 0)
case("matthews", "matthews(p, y)", {"p": p, "y": y}, metrics.matthews_corrcoef(yes, said))
case("matthews", "matthews(p, 0 * y)", {"p": p, "y": y}, metrics.matthews_corrcoef(0 * yes, said))
case("rmse", "rmse(p, y)", {"p": p, "y": y}, metrics.root_mean_squared_error(y, p))
case("r_squared", "r_squared(p, y)", {"p": p, "y": y}, metrics.r2_score(y, p))
scores = numbers((24, 3))
kind = random.integers(0, 3, 24)
case("class_accuracy", "class_accuracy(p, y)", {"p": scores, "y": np.eye(3)[kind]},
     metrics.accuracy_score(kind, scores.argmax(axis=1)))

case("specificity", "specificity(p, y, threshold = 0.75)", {"p": p, "y": y}, metrics.recall_score(~yes, ~strict))
case("matthews", "matthews(p, y, threshold = 0.75)", {"p": p, "y": y}, metrics.matthews_corrcoef(yes, strict))

FOLDER = pathlib.Path(__file__).parent / "data"


def write(file, content):
    lines = ",\n".join(json.dumps(c) for c in content)
    (FOLDER / f"{file}.json").write_text(f"[\n{lines}\n]\n")


write("metrics", cases)
cases = []


def reduction(entry, expression, value, gradient):
    """Of x: [n, 3, 4] with two rows; `gradient` makes the adjoint of x of that of the value."""
    value = np.asarray(value)
    adjoint = numbers(value.shape, -2, 2)
    shape = "[" + ", ".join("n" if i == 0 and s == 2 else str(s) for i, s in enumerate(value.shape)) + "]"
    cases.append({
        "entry": entry, "name": expression,
        "model": ["input x: [n, 3, 4]", f"target cotangent: {shape}", f"output value = {expression}",
                  "loss = sum(value * cotangent)"],
        "rows": 2, "tensors": {"x": x.reshape(-1).tolist(), "cotangent": adjoint.reshape(-1).tolist()},
        "predict": {"value": value.reshape(-1).tolist()},
        "gradients": {"x": np.broadcast_to(gradient(adjoint), x.shape).reshape(-1).tolist()}})


x = numbers((2, 3, 4), -2, 2)
reduction("mean", "mean(x)", x.mean(), lambda g: g / 24)
reduction("mean", "mean(x, axis = [0, 2])", x.mean((0, 2)), lambda g: g[None, :, None] / 8)
reduction("mean", "mean(x, axis = n, keep = true)", x.mean(0, keepdims=True), lambda g: g / 2)
reduction("variance", "variance(x)", x.var(), lambda g: 2 * g * (x - x.mean()) / 24)
reduction("variance", "variance(x, axis = 1)", x.var(1), lambda g: 2 * g[:, None] * (x - x.mean(1, keepdims=True)) / 3)
reduction("variance", "variance(x, axis = -1, keep = true)", x.var(-1, keepdims=True),
          lambda g: 2 * g * (x - x.mean(-1, keepdims=True)) / 4)
reduction("norm", "norm(x)", np.linalg.norm(x), lambda g: g * x / np.linalg.norm(x))
reduction("norm", "norm(x, axis = 2)", np.linalg.norm(x, axis=2),
          lambda g: g[:, :, None] * x / np.linalg.norm(x, axis=2, keepdims=True))
reduction("norm", "norm(0 * x)", 0.0, lambda g: 0 * g)
reduction("logsumexp", "logsumexp(x)", np.log(np.exp(x).sum()), lambda g: g * np.exp(x) / np.exp(x).sum())
reduction("logsumexp", "logsumexp(x, axis = [1, 2])", np.log(np.exp(x).sum((1, 2))),
          lambda g: g[:, None, None] * np.exp(x) / np.exp(x).sum((1, 2), keepdims=True))
reduction("clip", "clip(x, -0.5, 1)", x.clip(-0.5, 1), lambda g: g * ((x > -0.5) & (x < 1)))
reduction("where", "where(x > 0.5, x^2, -x)", np.where(x > 0.5, x**2, -x), lambda g: g * np.where(x > 0.5, 2 * x, -1))
reduction("norm", "norm(x, axis = [0, 2], keep = true)", np.sqrt((x**2).sum((0, 2), keepdims=True)),
          lambda g: g * x / np.sqrt((x**2).sum((0, 2), keepdims=True)))
write("reductions", cases)
