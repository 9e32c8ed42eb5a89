#!/usr/bin/env python3
"""Writes data/*.json: what PyTorch, in float64, gives for every entry of the prelude.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python tests/prelude/make_reference.py

The files are part of the repository: the tests read them and do not need PyTorch. Where PyTorch has no such function the
formula is written here from the paper, with PyTorch for the gradient.

A file is a list of cases:
    entry      the name in the prelude
    name       of the case, for messages
    model      the lines of a Descent model; its variables and inputs are given by `tensors`
    train      the train block, if the case needs one
    rows       the value of the symbolic size n
    tensors    name -> numbers, row-major; all are float32 numbers, so that neither side rounds them
    predict    name -> expected outputs of the function predict
    step       name -> expected results and updates of one training step: "loss", states
    gradients  name -> expected gradient of the loss of the training step with respect to that tensor
    steps      calls in order, each with function, tensors, epoch and expected; updates stay for the next call
    overflows  true where the formula as it is written overflows, and only the passes make it finite
    tolerance  of generated code, and interpreter_tolerance of the interpreter, where the usual one is too small: why is
               said where the case is made
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

FOLDER = pathlib.Path(__file__).parent / "data"
ROWS = 3
random = np.random.default_rng(20260101)
cases = {}


def numbers(shape, low=-2.0, high=2.0):
    """Random float32 numbers as a float64 tensor."""
    return torch.tensor(random.uniform(low, high, shape).astype(np.float32).astype(np.float64))


def flat(tensor):
    return [float(v) for v in torch.as_tensor(tensor, dtype=torch.float64).detach().reshape(-1)]


def shape_text(tensor):
    sizes = [str(s) for s in tensor.shape]
    if sizes and tensor.shape[0] == ROWS:
        sizes[0] = "n"
    return "[" + ", ".join(sizes) + "]"


def add(file, entry, name, **rest):
    cases.setdefault(file, []).append({"entry": entry, "name": name, **rest})


def differentiate(loss, tensors):
    gradients = torch.autograd.grad(loss, list(tensors.values()), allow_unused=True)
    return {name: torch.zeros_like(tensors[name]) if g is None else g for name, g in zip(tensors, gradients)}


def function_case(file, entry, expression, reference, inputs, name=None, without_gradient=(), **rest):
    """An expression of the inputs, which the reference takes in their order. The loss is the expression itself if
    that is one number, else its sum with random weights."""
    inputs = {key: value.clone().requires_grad_(key not in without_gradient) for key, value in inputs.items()}
    value = reference(*inputs.values())
    model = [f"input {key}: {shape_text(tensor)}" for key, tensor in inputs.items()]
    tensors = dict(inputs)
    if value.dim() == 0:
        loss = value
        model += [f"output value = {expression}", "loss = value"]
    else:
        weights = numbers(value.shape)
        loss = (value * weights).sum()
        tensors["cotangent"] = weights
        model += [f"target cotangent: {shape_text(value)}", f"output value = {expression}", "loss = sum(value * cotangent)"]
    gradients = differentiate(loss, {key: tensor for key, tensor in inputs.items() if tensor.requires_grad})
    add(file, entry, name or expression, model=model, rows=ROWS, tensors={k: flat(t) for k, t in tensors.items()},
        predict={"value": flat(value)}, gradients={k: flat(g) for k, g in gradients.items()}, **rest)


# ------------------------------------------------------------------------------------------------------ activations

# Kinks (0, 1, -1), saturation on both sides, and values in between.
POINTS = torch.tensor([-12.0, -3.5, -1.0, -0.75, -0.0625, 0.0, 0.0625, 0.5, 1.0, 2.25, 4.5, 12.0]).double().reshape(3, 4)


def activations():
    def case(entry, expression, reference, **rest):
        function_case("activations", entry, expression, reference, {"x": POINTS}, **rest)

    case("sigmoid", "sigmoid(x)", torch.sigmoid)
    case("tanh", "tanh(x)", torch.tanh)
    case("relu", "relu(x)", F.relu)
    case("leaky_relu", "leaky_relu(x)", F.leaky_relu)
    case("leaky_relu", "leaky_relu(x, slope = 0.25)", lambda x: F.leaky_relu(x, 0.25))
    case("elu", "elu(x)", F.elu)
    case("elu", "elu(x, alpha = 0.5)", lambda x: F.elu(x, 0.5))
    case("selu", "selu(x)", F.selu)
    case("softsign", "softsign(x)", F.softsign)
    case("hard_sigmoid", "hard_sigmoid(x)", lambda x: torch.clamp(x / 6 + 0.5, 0, 1))  # PyTorch has 1 / 6 in float32
    case("hard_swish", "hard_swish(x)", F.hardswish)
    case("softplus", "softplus(x)", lambda x: F.softplus(x, threshold=100))
    case("gelu", "gelu(x)", F.gelu)
    case("silu", "silu(x)", F.silu)
    case("mish", "mish(x)", F.mish)
    case("hardtanh", "hardtanh(x)", F.hardtanh)
    case("hardtanh", "hardtanh(x, -3.5, 2.25)", lambda x: F.hardtanh(x, -3.5, 2.25))
    case("softmax", "softmax(x)", lambda x: F.softmax(x, -1))
    case("log_softmax", "log_softmax(x)", lambda x: F.log_softmax(x, -1))
    x = numbers((3, 2, 4))
    function_case("activations", "softmax", "softmax(x)", lambda x: F.softmax(x, -1), {"x": x}, name="softmax of rank 3")
    function_case("activations", "log_softmax", "log_softmax(1000 * x)", lambda x: F.log_softmax(1000 * x, -1), {"x": x},
                  overflows=True)
    far = torch.tensor([-10000.0, -700, -100, -30, 30, 100, 700, 10000, 0, -1, 1, 2]).double().reshape(3, 4)
    for entry in ("sigmoid", "tanh", "softplus", "silu", "gelu", "mish", "elu", "softmax"):
        reference = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "softplus": lambda x: F.softplus(x, threshold=1000),
                     "silu": F.silu, "gelu": F.gelu, "mish": F.mish, "elu": F.elu, "softmax": lambda x: F.softmax(x, -1)}[entry]
        function_case("activations", entry, f"{entry}(x)", reference, {"x": far}, name=f"{entry} far out", overflows=True)


# ------------------------------------------------------------------------------------- losses, regularisers, reductions


def losses():
    def case(entry, expression, reference, inputs, **rest):
        function_case("losses", entry, expression, reference, inputs, **rest)

    z, p, q = numbers((3, 4), -6, 6), numbers((3, 4), 0.05, 0.95), numbers((3, 4), 0.05, 0.95)
    y = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0]).double().reshape(3, 4)
    soft = numbers((3, 4), 0, 1)
    weight = numbers((3, 1), 0.25, 3)
    a, b = numbers((3, 4)), numbers((3, 4))
    b[0, 0] = a[0, 0]  # the kinks at no error, and at an error of 1
    b[1, 1] = a[1, 1] - 1

    def focal(z, y, gamma=2.0, alpha=0.25):  # as torchvision.ops.sigmoid_focal_loss
        cross_entropy = F.binary_cross_entropy_with_logits(z, y, reduction="none")
        p = torch.sigmoid(z)
        right = p * y + (1 - p) * (1 - y)
        return ((alpha * y + (1 - alpha) * (1 - y)) * (1 - right) ** gamma * cross_entropy).mean()

    case("bce", "bce(p, y)", F.binary_cross_entropy, {"p": p, "y": y}, without_gradient=["y"], name="bce of probabilities")
    logits = F.binary_cross_entropy_with_logits
    case("bce", "bce(sigmoid(z), y)", logits, {"z": z, "y": y}, without_gradient=["y"])
    case("bce", "bce(sigmoid(z), y)", logits, {"z": z, "y": soft}, name="bce of soft targets")
    case("bce", "bce(sigmoid(z), y, weight)", lambda z, y, weight: logits(z, y, weight=weight.expand_as(z)),
         {"z": z, "y": y, "weight": weight}, without_gradient=["weight"])
    case("bce", "bce(sigmoid(z), y, positive_weight = 2.5)",
         lambda z, y: logits(z, y, pos_weight=torch.tensor(2.5, dtype=torch.float64)), {"z": z, "y": y})
    case("bce", "bce(sigmoid(z), y, positive_weight = 0.75, negative_weight = 3)",
         lambda z, y: logits(z, y, weight=torch.where(y > 0.5, 0.75, 3.0).double()), {"z": z, "y": y},
         without_gradient=["y"])
    case("bce", "bce(sigmoid(z), y, label_smoothing = 0.125)", lambda z, y: logits(z, y * 0.875 + 0.0625), {"z": z, "y": y})

    case("focal", "focal(sigmoid(z), y)", focal, {"z": z, "y": y}, without_gradient=["y"])
    case("focal", "focal(sigmoid(z), y, gamma = 3, alpha = 0.5)", lambda z, y: focal(z, y, 3.0, 0.5), {"z": z, "y": y},
         without_gradient=["y"])

    classes = F.one_hot(torch.tensor([2, 0, 3]), 4).double()
    soft_classes = (lambda t: t / t.sum(-1, keepdim=True))(numbers((3, 4), 0, 1))
    class_weight = numbers((4,), 0.25, 2)
    case("cross_entropy", "cross_entropy(softmax(z), y)", F.cross_entropy, {"z": z, "y": classes}, without_gradient=["y"])
    case("cross_entropy", "cross_entropy(softmax(z), y)", F.cross_entropy, {"z": z, "y": soft_classes.float().double()},
         name="cross_entropy of distributions")
    far = 3000 * a.float().double()
    case("cross_entropy", "cross_entropy(softmax(z), y)", F.cross_entropy, {"z": far, "y": classes}, without_gradient=["y"],
         name="cross_entropy far out", overflows=True)
    case("bce", "bce(sigmoid(z), y)", logits, {"z": far, "y": y}, without_gradient=["y"], name="bce far out", overflows=True)
    case("bce", "bce(sigmoid(z), y, positive_weight = 2.5)",
         lambda z, y: logits(z, y, pos_weight=torch.tensor(2.5, dtype=torch.float64)), {"z": far, "y": y},
         without_gradient=["y"], name="bce with positive weight far out", overflows=True)
    case("bce", "bce(sigmoid(z), y, label_smoothing = 0.125)", lambda z, y: logits(z, y * 0.875 + 0.0625),
         {"z": far, "y": y}, without_gradient=["y"], name="bce with label smoothing far out", overflows=True)
    case("focal", "focal(sigmoid(z), y)", focal, {"z": far, "y": y}, without_gradient=["y"], name="focal far out",
         overflows=True)
    case("cross_entropy", "cross_entropy(p, y)", lambda p, y: -(y * torch.log(p)).sum(-1).mean(), {"p": p, "y": classes},
         name="cross_entropy of probabilities")
    case("cross_entropy", "cross_entropy(softmax(z), y, label_smoothing = 0.125)",
         lambda z, y: F.cross_entropy(z, y, label_smoothing=0.125), {"z": z, "y": classes}, without_gradient=["y"])
    case("cross_entropy", "cross_entropy(softmax(z), y, w)",
         lambda z, y, w: F.cross_entropy(z, y, weight=w, reduction="none").mean(),
         {"z": z, "y": classes, "w": class_weight}, without_gradient=["y", "w"], name="cross_entropy with class weights")
    case("cross_entropy", "cross_entropy(softmax(z), y, w)",
         lambda z, y, w: (w[:, 0] * F.cross_entropy(z, y, reduction="none")).mean(),
         {"z": z, "y": classes, "w": weight}, without_gradient=["y"], name="cross_entropy with sample weights")

    case("mse", "mse(p, y)", F.mse_loss, {"p": a, "y": b}, name="mse")
    case("mse", "mse(p, y, weight)", lambda p, y, weight: (weight * (p - y) ** 2).mean(), {"p": a, "y": b, "weight": weight})
    case("mae", "mae(p, y)", F.l1_loss, {"p": a, "y": b}, name="mae")
    case("mae", "mae(p, y, weight)", lambda p, y, weight: (weight * (p - y).abs()).mean(), {"p": a, "y": b, "weight": weight})
    case("huber", "huber(p, y)", F.huber_loss, {"p": a, "y": b}, name="huber")
    case("huber", "huber(p, y, delta = 0.5)", lambda p, y: F.huber_loss(p, y, delta=0.5), {"p": a, "y": b})
    case("huber", "huber(p, y, 1.5, weight)",
         lambda p, y, weight: (weight * F.huber_loss(p, y, reduction="none", delta=1.5)).mean(),
         {"p": a, "y": b, "weight": weight})
    case("log_cosh", "log_cosh(p, y)", lambda p, y: torch.log(torch.cosh(p - y)).mean(), {"p": a, "y": b})
    case("quantile", "quantile(p, y, q = 75%)", lambda p, y: torch.maximum(0.75 * (y - p), -0.25 * (y - p)).mean(),
         {"p": a, "y": b + 0.125})
    case("gaussian_nll", "gaussian_nll(p, y, v)", F.gaussian_nll_loss, {"p": a, "y": b, "v": numbers((3, 4), 0.25, 2)})
    case("gaussian_nll", "gaussian_nll(p, y, exp(s))", lambda p, y, s: F.gaussian_nll_loss(p, y, s.exp()),
         {"p": a, "y": b, "s": numbers((3, 4))})
    case("dice", "dice(p, y)", lambda p, y: 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1), {"p": p, "y": y})
    case("triplet", "triplet(u, v, w)",
         lambda u, v, w: F.relu((u - v).norm(dim=-1) - (u - w).norm(dim=-1) + 1).mean(),
         {"u": numbers((3, 4)), "v": numbers((3, 4)), "w": numbers((3, 4))})
    case("hinge", "hinge(s, 2 * y - 1)", lambda s, y: F.relu(1 - (2 * y - 1) * s).mean(), {"s": a, "y": y},
         without_gradient=["y"])

    distribution = q / q.sum(-1, keepdim=True)
    distribution = distribution.float().double()
    distribution[2, 1] = 0
    case("kl", "kl(p, y)", lambda p, y: F.kl_div(torch.log(p), y, reduction="batchmean"), {"p": p, "y": distribution},
         without_gradient=["y"], name="kl")
    counts = torch.tensor([0, 1, 4, 2, 7, 0, 3, 1, 1, 0, 2, 5]).double().reshape(3, 4)
    case("poisson", "poisson(rate, y)", lambda rate, y: F.poisson_nll_loss(rate, y, log_input=False, eps=0),
         {"rate": p * 4, "y": counts}, name="poisson of rates")
    case("poisson", "poisson(exp(z), y)", F.poisson_nll_loss, {"z": a, "y": counts}, name="poisson of log rates")

    def contrastive(distance, same, margin=1.0):  # Hadsell, Chopra and LeCun, 2006, equation 4
        return (same * 0.5 * distance**2 + (1 - same) * 0.5 * torch.clamp(margin - distance, min=0) ** 2).mean()

    d = numbers((3, 4), 0, 2)
    case("contrastive", "contrastive(d, same)", lambda d, same: contrastive(d, same), {"d": d, "same": y},
         without_gradient=["same"])
    case("contrastive", "contrastive(d, same, margin = 1.5)", lambda d, same: contrastive(d, same, 1.5),
         {"d": d, "same": y}, without_gradient=["same"])

    function_case("losses", "mean", "mean(x)", lambda x: x.mean(), {"x": a})
    function_case("losses", "mean", "mean(x, 1)", lambda x: x.mean(1), {"x": a})
    function_case("losses", "mean", "mean(x, [0, 2])", lambda x: x.mean((0, 2)), {"x": numbers((3, 2, 4))})
    function_case("losses", "logsumexp", "logsumexp(x, 1)", lambda x: torch.logsumexp(x, 1), {"x": a})
    function_case("losses", "logsumexp", "logsumexp(1000 * x, [0, 2], keep = true)",
                  lambda x: torch.logsumexp(1000 * x, (0, 2), keepdim=True), {"x": numbers((3, 2, 4))},
                  overflows=True)
    function_case("losses", "distance", "distance(a, b)", lambda a, b: ((a - b) ** 2).sum(-1).sqrt(), {"a": a, "b": b})
    function_case("losses", "distance", "distance(a, a, eps = 0.25)", lambda a: (0 * a.sum(-1) + 0.25).sqrt(), {"a": a},
                  name="distance of a point to itself")
    function_case("losses", "cosine_similarity", "cosine_similarity(a, b)", lambda a, b: F.cosine_similarity(a, b, -1),
                  {"a": a, "b": b})
    function_case("losses", "hvp", "hvp(sum(x^3) + sum(x)^2, x, v)", hvp, {"x": a, "v": b}, name="hvp")


def hvp(x, v):
    gradient = torch.autograd.grad((x**3).sum() + x.sum() ** 2, x, create_graph=True)[0]
    return torch.autograd.grad((gradient * v).sum(), x, create_graph=True)[0]


def regularisers():
    w = numbers((3, 4))
    w[1, 1] = 0
    function_case("regularisers", "l1", "l1(w)", lambda w: w.abs().sum(), {"w": w})
    function_case("regularisers", "l2", "l2(w)", lambda w: (w**2).sum(), {"w": w})
    function_case("regularisers", "elastic", "elastic(w, ratio = 0.25)",
                  lambda w: 0.25 * w.abs().sum() + 0.375 * (w**2).sum(), {"w": w})
    # Over a list: weights has the parameters of rank 2 and more, parameters all.
    w, b = numbers((4, 2)), numbers((2,))
    for penalty, function in {"l1": lambda t: t.abs().sum(), "l2": lambda t: (t**2).sum()}.items():
        add("regularisers", penalty, f"{penalty} of lists",
            model=["param w: [4, 2] = zeros", "param b: [2] = zeros", "output value = b",
                   f"loss = 0.5 * {penalty}(weights) + 2 * {penalty}(parameters)"],
            tensors={"w": flat(w), "b": flat(b)}, step={"loss": flat(2.5 * function(w) + 2 * function(b))})


# --------------------------------------------------------------------------------------------------------- layers


def layer_case(entry, expression, reference, inputs, variables, name=None, **rest):
    """As function_case, with variables by their path; the reference takes both by their last name."""
    inputs = {k: v.clone().requires_grad_(v.is_floating_point()) for k, v in inputs.items()}
    variables = {k: v.clone().requires_grad_() for k, v in variables.items()}
    short = {k.split(".")[-1]: v for k, v in variables.items()}
    value = reference(**inputs, **short)
    weights = numbers(value.shape)
    loss = (value * weights).sum()
    every = {**{k: v for k, v in inputs.items() if v.requires_grad}, **variables}
    gradients = differentiate(loss, every)
    model = [f"input {k}: {shape_text(v)}" for k, v in inputs.items()]
    model += [f"target cotangent: {shape_text(value)}", f"output value = {expression}", "loss = sum(value * cotangent)"]
    add("layers", entry, name or expression, model=model, rows=ROWS,
        tensors={k: flat(v) for k, v in {**inputs, **variables, "cotangent": weights}.items()},
        predict={"value": flat(value)}, gradients={k: flat(g) for k, g in gradients.items()}, **rest)


def layers():
    x = numbers((3, 4))
    layer_case("dense", "dense(x, 2)", lambda x, w, b: F.linear(x, w.T, b), {"x": numbers((3, 2, 4))},
               {"dense.0.w": numbers((4, 2)), "dense.0.b": numbers((2,))}, name="dense of rank 3")
    layer_case("dense", "dense(x, 2)", lambda x, w, b: F.linear(x, w.T, b), {"x": x},
               {"dense.0.w": numbers((4, 2)), "dense.0.b": numbers((2,))})
    # Standardize reads its mean and deviation; a deviation of 0 divides by 1.
    mean, deviation = numbers((4,)), torch.tensor([0.5, 2.0, 0.0, 1.25]).double()
    layer_case("standardize", "standardize(x)",
               lambda x, mean, deviation: (x - mean) / torch.where(deviation > 0, deviation, 1.0), {"x": x},
               {"standardize.0.mean": mean, "standardize.0.deviation": deviation})
    layer_case("layer_norm", "layer_norm(x)", lambda x, scale, shift: F.layer_norm(x, (4,), scale, shift), {"x": x},
               {"layer_norm.0.scale": numbers((4,)), "layer_norm.0.shift": numbers((4,))})
    layer_case("layer_norm", "layer_norm(x, eps = 0.1)", lambda x, scale, shift: F.layer_norm(x, (4,), scale, shift, 0.1),
               {"x": numbers((3, 2, 4))}, {"layer_norm.0.scale": numbers((4,)), "layer_norm.0.shift": numbers((4,))},
               name="layer_norm of rank 3")
    layer_case("rms_norm", "rms_norm(x)", lambda x, scale: F.rms_norm(x, (4,), scale, 1e-6), {"x": x},
               {"rms_norm.0.scale": numbers((4,))})
    layer_case("bilinear", "bilinear(x, y, 2)", lambda x, y, w, bias: F.bilinear(x, y, w.permute(2, 0, 1), bias),
               {"x": x, "y": numbers((3, 5))}, {"bilinear.0.w": numbers((4, 5, 2)), "bilinear.0.bias": numbers((2,))})
    batch_norm(x)
    batch_norm(numbers((3, 2, 2, 4)))
    convolutions()
    sequences()
    attentions()
    function_case("layers", "residual", "residual(x, tanh)", lambda x: x + torch.tanh(x), {"x": x})
    m = numbers((5, 3))
    m = torch.cat([m, m[:, :1] + m[:, 1:2] + 0.01], 1)  # with a small singular value too
    m = m.float().double()
    u, _, v = torch.linalg.svd(m, full_matrices=False)
    add("layers", "orthogonalize", "orthogonalize(m)", model=["input m: [5, 4]", "output value = orthogonalize(m)"],
        tensors={"m": flat(m)}, predict={"value": flat(u @ v)}, tolerance=2e-4)  # the inverse condition of m is 0.004
    which = torch.tensor([[2, 0], [1, 1], [4, 2]]).double()
    layer_case("embedding", "embedding(x, 5, 2)", lambda x, table: F.embedding(x.long(), table), {"x": which},
               {"embedding.0.table": numbers((5, 2))})
    function_case("layers", "dropout", "dropout(x, 0)", lambda x: x, {"x": x}, name="dropout of nothing, in training")


def sequences():
    """GRU and LSTM against PyTorch's, whose weights are transposed and whose second bias is 0 here."""
    a, h, c, u = numbers((3, 6)), numbers((3, 2)), numbers((3, 2)), numbers((2, 6))
    identity = torch.eye(6, dtype=torch.float64)
    function_case("layers", "gru_step", "gru_step(a, h, u, reset_after = true)",
                  lambda a, h, u: torch._VF.gru_cell(a, h, identity, u.T, 0 * a[0], 0 * a[0]), {"a": a, "h": h, "u": u})
    a, u, identity = numbers((3, 8)), numbers((2, 8)), torch.eye(8, dtype=torch.float64)
    for i in range(2):
        function_case("layers", "lstm_step", f"lstm_step(a, h, c, u)[{i}]",
                      lambda a, h, c, u: torch._VF.lstm_cell(a, (h, c), identity, u.T, 0 * a[0], 0 * a[0])[i],
                      {"a": a, "h": h, "c": c, "u": u})
    def of_torch(network, every):
        def reference(x, w, u, b):
            states = torch.zeros(1, x.shape[0], u.shape[0], dtype=torch.float64)
            flat_weights = [w.T, u.T, b.reshape(-1), torch.zeros(b.numel(), dtype=torch.float64)]
            if network == "gru":
                value = torch._VF.gru(x, states, flat_weights, True, 1, 0.0, True, False, True)[0]
            else:
                value = torch._VF.lstm(x, (states, states), flat_weights, True, 1, 0.0, True, False, True)[0]
            return value if every else value[:, -1]

        return reference

    def cho(x, w, u, b):
        """Cho and others, 2014, equations 5 to 8: the reset gate before the product."""
        units = u.shape[0]
        h = torch.zeros(x.shape[0], units, dtype=torch.float64)
        for t in range(x.shape[1]):
            a = x[:, t] @ w + b
            r = torch.sigmoid(a[:, :units] + h @ u[:, :units])
            z = torch.sigmoid(a[:, units : 2 * units] + h @ u[:, units : 2 * units])
            h = z * h + (1 - z) * torch.tanh(a[:, 2 * units :] + (r * h) @ u[:, 2 * units :])
        return h

    x = numbers((3, 5, 4))
    gru = {"gru.0.w": numbers((4, 6)), "gru.0.u": numbers((2, 6)), "gru.0.b": numbers((6,))}
    layer_case("gru", "gru(x, 2)", cho, {"x": x}, gru)
    layer_case("gru", "gru(x, 2, reset_after = true)", of_torch("gru", False), {"x": x}, gru)
    layer_case("gru", "gru(x, 2, reset_after = true, sequence = true)", of_torch("gru", True), {"x": x}, gru)
    lstm = {"lstm.0.w": numbers((4, 8)), "lstm.0.u": numbers((2, 8)), "lstm.0.b": numbers((4, 2))}
    layer_case("lstm", "lstm(x, 2)", of_torch("lstm", False), {"x": x}, lstm)
    layer_case("lstm", "lstm(x, 2, sequence = true)", of_torch("lstm", True), {"x": x}, lstm)
    one = numbers((3, 4)), numbers((3, 2)), numbers((3, 2))
    gru = {"gru_cell.0.w": numbers((4, 6)), "gru_cell.0.u": numbers((2, 6)), "gru_cell.0.b": numbers((6,))}

    def gru_cell(x, h, w, u, b):
        return torch._VF.gru_cell(x, h, w.T, u.T, b, torch.zeros_like(b))

    def lstm_cell(x, h, c, w, u, b):
        return torch._VF.lstm_cell(x, (h, c), w.T, u.T, b.reshape(-1), torch.zeros(8, dtype=torch.float64))

    layer_case("gru_cell", "gru_cell(x, h, reset_after = true)", gru_cell, {"x": one[0], "h": one[1]}, gru)
    lstm = {"lstm_cell.0.w": numbers((4, 8)), "lstm_cell.0.u": numbers((2, 8)), "lstm_cell.0.b": numbers((4, 2))}
    layer_case("lstm_cell", "lstm_cell(x, h, c)[0]", lambda x, h, c, w, u, b: lstm_cell(x, h, c, w, u, b)[0],
               {"x": one[0], "h": one[1], "c": one[2]}, lstm)
    layer_case("lstm_cell", "lstm_cell(x, h, c)[1]", lambda x, h, c, w, u, b: lstm_cell(x, h, c, w, u, b)[1],
               {"x": one[0], "h": one[1], "c": one[2]}, lstm)


def attentions():
    q, k, v = numbers((3, 5, 4)), numbers((3, 6, 4)), numbers((3, 6, 2))
    function_case("layers", "attention", "attention(q, k, v)", F.scaled_dot_product_attention, {"q": q, "k": k, "v": v})
    same = numbers((3, 5, 4)), numbers((3, 5, 4)), numbers((3, 5, 4))
    function_case("layers", "attention", "attention(q, k, v, causal = true)",
                  lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
                  {"q": same[0], "k": same[1], "v": same[2]})

    def of_torch(causal):
        def reference(x, w, b, w_out, b_out):
            n, t, i = x.shape
            q, k, v = ((x @ w + b).reshape(n, t, 3, 2, i // 2)).permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
            return mixed.permute(0, 2, 1, 3).reshape(n, t, i) @ w_out + b_out

        return reference

    scores = numbers((3, 4))
    function_case("layers", "before", "softmax(before(s))",
                  lambda s: F.softmax(s.masked_fill(torch.ones(3, 4).triu(1).bool(), -torch.inf), -1), {"s": scores})
    position, column = torch.arange(5).double()[:, None], torch.arange(2).double()[None]
    angle = position / 10000 ** (column / 2)
    waves = torch.cat([torch.sin(angle), torch.cos(angle)], 1)
    function_case("layers", "sinusoidal_position", "sinusoidal_position(x)", lambda x: x + waves, {"x": same[0]})
    path = "multi_head_attention.0."
    variables = {path + "w": numbers((4, 12)), path + "b": numbers((12,)), path + "w_out": numbers((4, 4)),
                 path + "b_out": numbers((4,))}
    layer_case("multi_head_attention", "multi_head_attention(x, heads = 2)", of_torch(False), {"x": same[0]}, variables)
    layer_case("multi_head_attention", "multi_head_attention(x, heads = 2, causal = true)", of_torch(True), {"x": same[0]},
               variables)


def convolutions():
    """PyTorch has the channels second, and the units first in a kernel."""
    line, image = numbers((3, 7, 2)), numbers((3, 6, 5, 2))
    for setting, arguments in {"": {}, ", stride = 2": {"stride": 2}, ", padding = 1": {"padding": 1},
                               ", stride = 2, padding = 2, dilation = 2": {"stride": 2, "padding": 2, "dilation": 2}}.items():
        layer_case("conv1d", f"conv1d(x, 4, size = 3{setting})",
                   lambda x, w, b, a=arguments: F.conv1d(x.permute(0, 2, 1), w.permute(2, 1, 0), b, **a).permute(0, 2, 1),
                   {"x": line}, {"conv1d.0.w": numbers((3, 2, 4)), "conv1d.0.b": numbers((4,))})
        layer_case("conv2d", f"conv2d(x, 4, size = 3{setting})",
                   lambda x, w, b, a=arguments: F.conv2d(x.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), b,
                                                         **a).permute(0, 2, 3, 1),
                   {"x": image}, {"conv2d.0.w": numbers((3, 3, 2, 4)), "conv2d.0.b": numbers((4,))})

    def case(entry, expression, function, x):
        function_case("layers", entry, expression, lambda x: function(x.movedim(-1, 1)).movedim(1, -1), {"x": x})

    case("max_pool1d", "max_pool1d(x)", lambda x: F.max_pool1d(x, 2), line)
    case("max_pool2d", "max_pool2d(x)", lambda x: F.max_pool2d(x, 2), image)
    case("max_pool2d", "max_pool2d(x, size = 3, stride = 2)", lambda x: F.max_pool2d(x, 3, 2), image)
    case("average_pool1d", "average_pool1d(x)", lambda x: F.avg_pool1d(x, 2), line)
    case("average_pool2d", "average_pool2d(x)", lambda x: F.avg_pool2d(x, 2), image)
    case("average_pool2d", "average_pool2d(x, size = 3, stride = 1)", lambda x: F.avg_pool2d(x, 3, 1), image)


def batch_norm(x, eps=1e-5):
    """Training normalises by the batch and moves the running values; prediction uses them."""
    call = "batch_norm(x, momentum = 0.75" + (")" if eps == 1e-5 else f", eps = {eps})")
    scale, shift, mean, variance = numbers((4,)), numbers((4,)), numbers((4,)), numbers((4,), 0.5, 2)
    weights = numbers(x.shape)

    def normalise(x, mean, variance, scale, shift, **settings):
        return F.batch_norm(x.movedim(-1, 1), mean, variance, scale, shift, eps=eps, **settings).movedim(1, -1)

    predicted = normalise(x, mean, variance, scale, shift)
    given = {"x": x, "batch_norm.0.scale": scale, "batch_norm.0.shift": shift}
    trained = {k: v.clone().requires_grad_() for k, v in given.items()}
    new_mean, new_variance = mean.clone(), variance.clone()
    value = normalise(trained["x"], new_mean, new_variance, trained["batch_norm.0.scale"], trained["batch_norm.0.shift"],
                      training=True, momentum=0.25)
    loss = (value * weights).sum()
    gradients = differentiate(loss, trained)
    add("layers", "batch_norm", f"{call} of rank {x.dim()}", rows=ROWS,
        model=[f"input x: {shape_text(x)}", f"target cotangent: {shape_text(x)}", f"output value = {call}",
               "loss = sum(value * cotangent)"],
        tensors={k: flat(v) for k, v in {**given, "cotangent": weights, "batch_norm.0.mean": mean,
                                         "batch_norm.0.variance": variance}.items()},
        predict={"value": flat(predicted)}, gradients={k: flat(g) for k, g in gradients.items()},
        step={"loss": flat(loss), "batch_norm.0.mean": flat(new_mean), "batch_norm.0.variance": flat(new_variance)})


# ------------------------------------------------------------------------------------------------------- optimizers

STEPS = 6


def trajectory(entry, setting, update, name=None, gradients_setting=None, **rest):
    """The parameters w and b over some steps whose gradients are given: the loss is sum(w * g) + sum(b * h). `update` is
    called with the list of parameters, which hold their gradients in .grad, for every step."""
    w, b = numbers((3, 2)), numbers((2,))
    start = {"w": flat(w), "b": flat(b)}
    parameters = [torch.nn.Parameter(w.clone()), torch.nn.Parameter(b.clone())]
    take_step = update(parameters)
    steps = []
    for _ in range(STEPS):
        g, h = numbers((3, 2)), numbers((2,))
        parameters[0].grad, parameters[1].grad = g.clone(), h.clone()
        take_step()
        steps.append({"function": "step", "tensors": {"g": flat(g), "h": flat(h)},
                      "expected": {"w": flat(parameters[0]), "b": flat(parameters[1])}})
    train = f"optimizer = {setting}" + (f" gradients = {gradients_setting}" if gradients_setting else "")
    add("optimizers", entry, name or train,
        model=["param w: [3, 2] = zeros", "param b: [2] = zeros", "input g: [3, 2]", "input h: [2]",
               "output value = sum(w * g)", "loss = sum(w * g) + sum(b * h)"],
        train=train, tensors=start, steps=steps, **rest)


def of_torch(optimizer, **settings):
    return lambda parameters: optimizer(parameters, **settings).step


def lion(lr, beta1=0.9, beta2=0.99, weight_decay=0.0):
    """Chen and others, 2023, program 1."""

    def prepare(parameters):
        m = [torch.zeros_like(p) for p in parameters]

        def step():
            for p, mean in zip(parameters, m):
                c = beta1 * mean + (1 - beta1) * p.grad
                p.data -= lr * (torch.sign(c) + weight_decay * p.data)
                mean.mul_(beta2).add_((1 - beta2) * p.grad)

        return step

    return prepare


def lamb(lr, beta1=0.9, beta2=0.999, eps=1e-6, weight_decay=0.01):
    """You and others, 2020, algorithm 2, with phi the identity."""

    def prepare(parameters):
        m = [torch.zeros_like(p) for p in parameters]
        v = [torch.zeros_like(p) for p in parameters]
        t = 0

        def step():
            nonlocal t
            t += 1
            for i, p in enumerate(parameters):
                m[i] = beta1 * m[i] + (1 - beta1) * p.grad
                v[i] = beta2 * v[i] + (1 - beta2) * p.grad**2
                r = (m[i] / (1 - beta1**t)) / (torch.sqrt(v[i] / (1 - beta2**t)) + eps) + weight_decay * p.data
                w_norm, r_norm = p.data.norm(), r.norm()
                trust = w_norm / r_norm if w_norm > 0 and r_norm > 0 else 1.0
                p.data -= lr * trust * r

        return step

    return prepare


def amsgrad_of_the_paper(lr, beta1, beta2, eps):
    """Reddi, Kale and Kumar, 2018, algorithm 2: no bias correction."""

    def prepare(parameters):
        state = [[torch.zeros_like(p) for _ in range(3)] for p in parameters]

        def step():
            for p, s in zip(parameters, state):
                s[0] = beta1 * s[0] + (1 - beta1) * p.grad
                s[1] = beta2 * s[1] + (1 - beta2) * p.grad**2
                s[2] = torch.maximum(s[2], s[1])
                p.data -= lr * s[0] / (torch.sqrt(s[2]) + eps)

        return step

    return prepare


def optimizers():
    optim = torch.optim
    trajectory("sgd", "sgd(lr = 0.1)", of_torch(optim.SGD, lr=0.1))
    trajectory("momentum", "momentum(lr = 0.1, beta = 0.75)", of_torch(optim.SGD, lr=0.1, momentum=0.75))
    trajectory("nesterov", "nesterov(lr = 0.1, beta = 0.75)", of_torch(optim.SGD, lr=0.1, momentum=0.75, nesterov=True))
    trajectory("adagrad", "adagrad(lr = 0.1)", of_torch(optim.Adagrad, lr=0.1))
    trajectory("rmsprop", "rmsprop(lr = 0.1, rho = 0.75)", of_torch(optim.RMSprop, lr=0.1, alpha=0.75))
    trajectory("adam", "adam(lr = 0.1)", of_torch(optim.Adam, lr=0.1))
    trajectory("adam", "adam(0.1, 0.75, 0.875, 0.01)", of_torch(optim.Adam, lr=0.1, betas=(0.75, 0.875), eps=0.01))
    trajectory("amsgrad", "amsgrad(lr = 0.1, beta2 = 0.75)", of_torch(optim.Adam, lr=0.1, betas=(0.9, 0.75), amsgrad=True))
    trajectory("amsgrad", "amsgrad(lr = 0.1, beta2 = 0.75, bias_correction = false)",
               amsgrad_of_the_paper(0.1, 0.9, 0.75, 1e-8))
    trajectory("adamw", "adamw(lr = 0.1, weight_decay = 0.125)", of_torch(optim.AdamW, lr=0.1, weight_decay=0.125))
    # PyTorch keeps the product of all mu in float32, here too.
    trajectory("nadam", "nadam(lr = 0.1)", of_torch(optim.NAdam, lr=0.1), interpreter_tolerance=1e-8)
    trajectory("lion", "lion(lr = 0.1)", lion(0.1))
    trajectory("lion", "lion(lr = 0.1, weight_decay = 0.125)", lion(0.1, weight_decay=0.125))
    trajectory("lamb", "lamb(lr = 0.1)", lamb(0.1))
    clip = torch.nn.utils
    trajectory("clip_by_value", "sgd(lr = 0.1)", clipped(lambda p: clip.clip_grad_value_(p, 0.5)),
               gradients_setting="clip_by_value(gradients, 0.5)")
    trajectory("clip_by_norm", "sgd(lr = 0.1)", clipped(lambda p: clip.clip_grad_norm_(p, 3.0)),
               gradients_setting="clip_by_norm(gradients, 3)")
    averages()


def clipped(clip):
    def prepare(parameters):
        sgd = torch.optim.SGD(parameters, lr=0.1)

        def step():
            clip(parameters)
            sgd.step()

        return step

    return prepare


def averages():
    """The average after each step, by PyTorch's AveragedModel formula with the growing decay of TensorFlow; the model
    predicts from it."""
    w = numbers((3, 2))
    average, parameter, steps = w.clone(), w.clone(), []
    for t in range(1, STEPS + 1):
        g = numbers((3, 2))
        parameter = parameter - 0.5 * g
        decay = min(0.5, (1 + t) / (10 + t))
        average = torch.lerp(parameter, average, decay)
        steps.append({"function": "step", "tensors": {"g": flat(g)},
                      "expected": {"w": flat(parameter), "w.average": flat(average)}})
        steps.append({"function": "predict", "expected": {"value": flat((average * g).sum())}})
    add("optimizers", "ema", "average = ema(decay = 0.5)",
        model=["param w: [3, 2] = zeros", "input g: [3, 2]", "output value = sum(w * g)", "loss = value"],
        train="optimizer = sgd(lr = 0.5) average = ema(decay = 0.5)",
        tensors={"w": flat(w), "w.average": flat(w)}, steps=steps)


# -------------------------------------------------------------------------------------------------------- schedules


def schedules():
    def case(entry, expression, epochs, rates):
        add("schedules", entry, expression, model=[f"output value = {expression}"],
            steps=[{"function": "predict", "epoch": float(e), "expected": {"value": [float(r)]}}
                   for e, r in zip(epochs, rates)])

    def of_scheduler(make, epochs):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        scheduler = make(optimizer)
        rates = []
        for _ in range(epochs):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return range(epochs), rates

    lr = torch.optim.lr_scheduler
    case("step_decay", "step_decay(0.5, every = 3, gamma = 0.25)", *of_scheduler(lambda o: lr.StepLR(o, 3, 0.25), 10))
    case("step_decay", "step_decay(0.5, every = 2)", [0, 1.75, 2, 3.999], [0.5, 0.5, 0.05, 0.05])
    case("exponential", "exponential(0.5, gamma = 0.9)", *of_scheduler(lambda o: lr.ExponentialLR(o, 0.9), 12))
    case("exponential", "exponential(0.5, 0.5, epochs = 4)", [0, 2, 4, 8], [0.5, 0.5 * 0.5**0.5, 0.25, 0.125])
    case("cosine", "cosine(0.5, epochs = 10, end = 0.125)", *of_scheduler(lambda o: lr.CosineAnnealingLR(o, 10, 0.125), 11))
    case("cosine", "cosine(0.5, epochs = 10)", [2.5, 10, 15], [0.25 * (1 + np.cos(np.pi / 4)), 0, 0])
    case("polynomial", "polynomial(0.5, epochs = 10, power = 2)", *of_scheduler(lambda o: lr.PolynomialLR(o, 10, 2.0), 14))
    case("polynomial", "polynomial(0.5, epochs = 10, end = 0.25)", [0, 5, 10, 20], [0.5, 0.375, 0.25, 0.25])
    case("warmup", "warmup(0.5, epochs = 5, start = 0.25)", *of_scheduler(lambda o: lr.LinearLR(o, 0.25, 1.0, 5), 8))
    case("warmup", "warmup(cosine(0.5, epochs = 10), epochs = 5)", [0, 2.5, 5],
         [0.05, 0.55 * 0.25 * (1 + np.cos(np.pi / 4)), 0.25])
    case("one_cycle", "one_cycle(0.5, epochs = 20, pct_start = 0.3)",
         *of_scheduler(lambda o: lr.OneCycleLR(o, 0.5, total_steps=21, pct_start=(0.3 * 20 + 1) / 21), 20))


# --------------------------------------------------------------------------------------------------------- training


def training():
    """Whole trainings from the same weights on the same batch: the loss of every tenth step, and the parameters at the end.
    A rounding error of one step is in the weights of the next, and the trajectories of float32 and float64 slowly part: to
    6e-6 here, and what another width of vectors makes of it stays below five times that."""

    def case(entry, model, train, forward, inputs, variables, make_optimizer, count=60):
        parameters = {k: torch.nn.Parameter(v.clone()) for k, v in variables.items()}
        optimizer = make_optimizer(list(parameters.values()))
        steps = []
        for t in range(count):
            optimizer.zero_grad()
            loss = forward(**inputs, **{k.replace(".", "_"): v for k, v in parameters.items()})
            loss.backward()
            optimizer.step()
            expected = {"loss": flat(loss)} if t % 10 == 9 else {}
            steps.append({"function": "step", "expected": expected})
        steps[-1]["expected"].update({k: flat(v) for k, v in parameters.items()})
        add("training", entry, train, model=model, rows=ROWS * 4, train=train, tolerance=3e-5,
            tensors={k: flat(v) for k, v in {**inputs, **variables}.items()}, steps=steps)

    rows = ROWS * 4
    x, y = numbers((rows, 5)), (numbers((rows, 1)) > 0).double()
    dense = {"dense.0.w": numbers((5, 1)), "dense.0.b": numbers((1,))}
    logits = F.binary_cross_entropy_with_logits
    case("sgd", ["input x: [n, 5]", "target y: [n, 1]", "output p = sigmoid(dense(x, 1))", "loss = bce(p, y)"],
         "optimizer = sgd(lr = 0.5)", lambda x, y, dense_0_w, dense_0_b: logits(x @ dense_0_w + dense_0_b, y),
         {"x": x, "y": y}, dense, lambda p: torch.optim.SGD(p, lr=0.5))

    two = {"dense.0.w": numbers((5, 6), -1, 1), "dense.0.b": numbers((6,)), "dense.1.w": numbers((6, 1), -1, 1),
           "dense.1.b": numbers((1,))}

    def network(x, y, dense_0_w, dense_0_b, dense_1_w, dense_1_b):
        return logits(torch.tanh(x @ dense_0_w + dense_0_b) @ dense_1_w + dense_1_b, y) + 1e-3 * (
            (dense_0_w**2).sum() + (dense_1_w**2).sum())

    case("adam", ["input x: [n, 5]", "target y: [n, 1]", "output p = x |> dense(6) |> tanh |> dense(1) |> sigmoid",
                  "loss = bce(p, y) + 1e-3 * l2(weights)"],
         "optimizer = adam(lr = 0.05)", network, {"x": x, "y": y}, two, lambda p: torch.optim.Adam(p, lr=0.05))

    three = {"dense.0.w": numbers((5, 3), -1, 1), "dense.0.b": numbers((3,)), "dense.1.w": numbers((3, 5), -1, 1),
             "dense.1.b": numbers((5,))}

    def autoencoder(x, dense_0_w, dense_0_b, dense_1_w, dense_1_b):
        return F.huber_loss(F.silu(x @ dense_0_w + dense_0_b) @ dense_1_w + dense_1_b, x)

    case("nesterov", ["input x: [n, 5]", "output decoded = x |> dense(3) |> silu |> dense(5)", "loss = huber(decoded, x)"],
         "optimizer = nesterov(lr = 0.1)", autoencoder, {"x": x}, three,
         lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True))


# ----------------------------------------------------------------------------------------------------- initialisers


def initialisers():
    """Moments and bounds: mean, variance, and the largest magnitude, of a parameter of some shape. The fans are those of
    PyTorch's _calculate_fan_in_and_fan_out, which has the units first and the window last."""

    def fans(shape):
        window = list(shape[:-2])
        like_torch = torch.empty([shape[-1], shape[-2], *window])
        return torch.nn.init._calculate_fan_in_and_fan_out(like_torch)

    def case(entry, init, shape, variance, bound=None, mean=0.0):
        add("initialisers", entry, f"{init} of {shape}", init=init, shape=shape, mean=mean, variance=variance, bound=bound)

    normal = torch.distributions.Normal(0.0, 1.0)
    # Variance of a normal number between -2 and 2, relative to the whole one: 1 - 2 a phi(a) / (Phi(a) - Phi(-a)), a = 2.
    two = torch.tensor(2.0, dtype=torch.float64)
    inside = 2 * normal.cdf(two) - 1
    truncated = float(1 - 2 * two * normal.log_prob(two).exp() / inside)
    case("zeros", "zeros", [4, 3], 0.0, 0.0)
    case("ones", "ones", [4, 3], 0.0, 1.0, mean=1.0)
    case("uniform", "uniform", [200, 100], 0.05**2 / 3, 0.05)
    case("normal", "normal", [200, 100], 0.05**2)
    case("truncated_normal", "truncated_normal", [200, 100], 0.05**2 * truncated, 0.1)
    for shape in ([200, 100], [3, 3, 40, 50]):  # a dense layer's, and a convolution's with a window of 3 x 3
        fan_in, fan_out = fans(shape)
        case("glorot_uniform", "glorot_uniform", shape, 2 / (fan_in + fan_out), (6 / (fan_in + fan_out)) ** 0.5)
        case("glorot_normal", "glorot_normal", shape, 2 / (fan_in + fan_out))
        case("he_uniform", "he_uniform", shape, 2 / fan_in, (6 / fan_in) ** 0.5)
        case("he_normal", "he_normal", shape, 2 / fan_in)
        case("lecun_uniform", "lecun_uniform", shape, 1 / fan_in, (3 / fan_in) ** 0.5)
        case("lecun_normal", "lecun_normal", shape, 1 / fan_in)


    # Columns of a tall matrix and rows of a wide one are orthonormal, so that the mean square is 1 / the longer side.
    for shape in ([30, 20], [20, 30], [3, 3, 2, 10]):
        rows, columns = int(np.prod(shape[:-1])), shape[-1]
        add("initialisers", "orthogonal", f"orthogonal of {shape}", init="orthogonal", shape=shape, mean=0.0,
            variance=1 / max(rows, columns), bound=None, orthonormal=True)


# --------------------------------------------------------------------------------------------------------- settings


def settings():
    """What the cases above leave at its default. They stand at the end, so that those above keep their numbers."""
    a, b = numbers((3, 4)), numbers((3, 4))
    p, y = numbers((3, 4), 0.05, 0.95), torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0]).double().reshape(3, 4)

    def loss(entry, expression, reference, inputs):
        function_case("losses", entry, expression, reference, inputs)

    loss("cosine_similarity", "cosine_similarity(a, b, eps = 4)",
         lambda a, b: (a * b).sum(-1) / torch.clamp(a.norm(dim=-1) * b.norm(dim=-1), min=4.0), {"a": a, "b": b})
    loss("dice", "dice(p, y, eps = 0.25)", lambda p, y: 1 - (2 * (p * y).sum() + 0.25) / (p.sum() + y.sum() + 0.25),
         {"p": p, "y": y})
    loss("triplet", "triplet(u, v, w, margin = 2.5)",
         lambda u, v, w: F.relu((u - v).norm(dim=-1) - (u - w).norm(dim=-1) + 2.5).mean(),
         {"u": a, "v": b, "w": numbers((3, 4))})
    loss("rmse", "rmse(p, y)", lambda p, y: F.mse_loss(p, y).sqrt(), {"p": a, "y": b})
    loss("r_squared", "r_squared(p, y)", lambda p, y: 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum(), {"p": a, "y": b})
    loss("r_squared", "r_squared(p, y, eps = 100)", lambda p, y: 1 - ((y - p) ** 2).sum() / 100, {"p": a, "y": b})
    layer_case("rms_norm", "rms_norm(x, eps = 0.25)", lambda x, scale: F.rms_norm(x, (4,), scale, 0.25), {"x": a},
               {"rms_norm.0.scale": numbers((4,))})
    batch_norm(numbers((3, 4)), eps=0.25)
    line = numbers((3, 7, 2))
    for entry, pool in {"max_pool1d": F.max_pool1d, "average_pool1d": F.avg_pool1d}.items():
        function_case("layers", entry, f"{entry}(x, size = 3, stride = 2)",
                      lambda x, pool=pool: pool(x.movedim(-1, 1), 3, 2).movedim(1, -1), {"x": line})
    optim = torch.optim
    trajectory("adagrad", "adagrad(lr = 0.1, eps = 0.25)", of_torch(optim.Adagrad, lr=0.1, eps=0.25))
    trajectory("rmsprop", "rmsprop(lr = 0.1, rho = 0.75, eps = 0.25)", of_torch(optim.RMSprop, lr=0.1, alpha=0.75, eps=0.25))
    trajectory("amsgrad", "amsgrad(lr = 0.1, beta1 = 0.75, beta2 = 0.875, eps = 0.25)",
               of_torch(optim.Adam, lr=0.1, betas=(0.75, 0.875), eps=0.25, amsgrad=True))
    trajectory("adamw", "adamw(lr = 0.1, beta1 = 0.75, beta2 = 0.875, eps = 0.25, weight_decay = 0.5)",
               of_torch(optim.AdamW, lr=0.1, betas=(0.75, 0.875), eps=0.25, weight_decay=0.5))
    trajectory("nadam", "nadam(lr = 0.1, beta1 = 0.75, beta2 = 0.875, eps = 0.25, momentum_decay = 0.125)",
               of_torch(optim.NAdam, lr=0.1, betas=(0.75, 0.875), eps=0.25, momentum_decay=0.125), interpreter_tolerance=1e-8)
    trajectory("lion", "lion(lr = 0.1, beta1 = 0.75, beta2 = 0.5)", lion(0.1, 0.75, 0.5))
    trajectory("lamb", "lamb(lr = 0.1, beta1 = 0.75, beta2 = 0.875, eps = 0.25, weight_decay = 0.5)",
               lamb(0.1, 0.75, 0.875, 0.25, 0.5))
    add("schedules", "one_cycle", "one_cycle(0.5, epochs = 20, div_factor = 5, final_div_factor = 10)",
        model=["output value = one_cycle(0.5, epochs = 20, div_factor = 5, final_div_factor = 10)"],
        steps=[{"function": "predict", "epoch": e, "expected": {"value": [r]}}
               for e, r in ((0.0, 0.1), (3.0, 0.3), (6.0, 0.5), (13.0, 0.255), (20.0, 0.01), (30.0, 0.01))])


def image_layers():
    """Groups of channels, and images that grow. PyTorch has the channels second."""
    def groups(shape, groups, eps=1e-5):
        def reference(x, scale, shift):
            return F.group_norm(x.movedim(-1, 1), groups, scale, shift, eps).movedim(1, -1)

        setting = "" if eps == 1e-5 else f", eps = {eps}"
        layer_case("group_norm", f"group_norm(x, {groups}{setting})", reference, {"x": numbers(shape)},
                   {"group_norm.0.scale": numbers(shape[-1:]), "group_norm.0.shift": numbers(shape[-1:])},
                   name=f"group_norm of {groups} groups and rank {len(shape)}")

    groups((3, 4), 2)
    groups((3, 2, 4), 1, eps=0.25)
    groups((3, 3, 2, 6), 3)
    groups((3, 3, 2, 4), 4)
    image = numbers((3, 6, 5, 2))
    for setting, arguments in {"": {}, ", stride = 2, padding = 1": {"stride": 2, "padding": 1},
                               ", padding = 2, dilation = 2": {"padding": 2, "dilation": 2}}.items():
        layer_case("depthwise_conv2d", f"depthwise_conv2d(x, size = 3{setting})",
                   lambda x, w, b, a=arguments: F.conv2d(x.permute(0, 3, 1, 2), w.permute(2, 0, 1)[:, None], b, groups=2,
                                                         **a).permute(0, 2, 3, 1),
                   {"x": image}, {"depthwise_conv2d.0.w": numbers((3, 3, 2)), "depthwise_conv2d.0.b": numbers((2,))})
    small = numbers((3, 3, 4, 2))
    for size, stride, padding in ((2, 2, 0), (3, 1, 1), (3, 2, 1), (4, 2, 1), (2, 3, 0), (1, 1, 0)):
        setting = f"size = {size}, stride = {stride}, padding = {padding}"
        layer_case("conv2d_transpose", f"conv2d_transpose(x, 3, {setting})",
                   lambda x, w, b, s=stride, p=padding: F.conv_transpose2d(
                       x.permute(0, 3, 1, 2), w.permute(2, 3, 0, 1), b, stride=s, padding=p).permute(0, 2, 3, 1),
                   {"x": small}, {"conv2d_transpose.0.w": numbers((size, size, 2, 3)),
                                  "conv2d_transpose.0.b": numbers((3,))})
    for size in (2, 3):
        function_case("layers", "upsample2d", f"upsample2d(x, size = {size})",
                      lambda x, s=size: F.interpolate(x.movedim(-1, 1), scale_factor=s).movedim(1, -1), {"x": small})


def operators():
    """Of the language: remainders with the sign of what divides, and slices with a step."""
    a = torch.tensor([7.0, -7.0, 7.5, -7.5, 0.0, 6.0, -6.0, 0.3125, 1e6, -1e6, 5.0, 12.25]).double().reshape(3, 4)
    b = torch.tensor([3.0, 3.0, -2.0, -2.0, 5.0, 3.0, 3.0, 1.0, 7.0, 7.0, 5.0, -0.5]).double().reshape(3, 4)
    function_case("operators", "%", "a % b", torch.remainder, {"a": a, "b": b})
    function_case("operators", "%", "a % -3", lambda a: a % -3, {"a": a})
    x = numbers((3, 7, 5))
    function_case("operators", "slice", "x[:, ::2]", lambda x: x[:, ::2], {"x": x})
    function_case("operators", "slice", "x[:, 1:-1:3, ::4]", lambda x: x[:, 1:-1:3, ::4], {"x": x})
    function_case("operators", "slice", "x[:, :6:2, 3] - x[:, 1::2, 0]", lambda x: x[:, :6:2, 3] - x[:, 1::2, 0], {"x": x})


def main():
    for make in (initialisers, activations, losses, regularisers, layers, optimizers, schedules, training, settings,
                 image_layers, operators):
        make()
    FOLDER.mkdir(exist_ok=True)
    for file, content in cases.items():
        lines = ",\n".join(json.dumps(case) for case in content)
        (FOLDER / f"{file}.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
