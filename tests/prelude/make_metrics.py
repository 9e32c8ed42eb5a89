#!/usr/bin/env python3
"""Writes data/metrics.json: what scikit-learn gives for every metric of the prelude, in the form of make_reference.py.

    python3 -m venv venv && venv/bin/pip install scikit-learn numpy
    venv/bin/python tests/prelude/make_metrics.py
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

lines = ",\n".join(json.dumps(c) for c in cases)
(pathlib.Path(__file__).parent / "data" / "metrics.json").write_text(f"[\n{lines}\n]\n")
