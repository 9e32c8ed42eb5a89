// Every construct of the language in a model that is trained: generated code gives what the reference interpreter
// gives, for a step (losses, states and new parameters) and for a prediction.
#include <catch2/catch.hpp>
#include <cmath>

#include "frontend/frontend.h"
#include "ir/threefry.h"
#include "passes/passes.h"
#include "tests/support/runner.h"

using namespace descent;

namespace {

constexpr std::int64_t kRows = 9;

struct Construct {
  const char* name;
  const char* text;
};

const Construct kConstructs[] = {
    {"arith", R"(
model arith {
 input x: [n, 6]
 target y: [n, 2]
 param a: [6] = ones
 let u = (x + 1 - x * 2 / 3) ^ 2 @ a
 let v = -x^2 + 2^3^2 - (-1)^2
 output p = dense(v + reshape(u, [n, 1]), 2)
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"category", R"(
model category {
 input city: [n] category(12)
 target y: [n, 2]
 let e = embedding(city, 12, 4)
 output p = e |> relu |> dense(2) 
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"elementwise", R"(
model elementwise {
 input x: [n, 6]
 target y: [n, 2]
 let a = exp(-abs(x)) + log(1 + x^2) + log1p(x^2) + expm1(-x^2) + sqrt(x^2 + 1) + tanh(x) + erf(x) + abs(x) + sign(x) + sin(x) + cos(x) + floor(x) + round(x)
 let b = where(x > 0, x, 0.1 * x) + clip(x, -1, 1) + stop_gradient(x)
 let c = if is_finite(a) then a else 0
 output p = dense(b + c, 2)
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"f64", R"(
model f64 {
 input x: f64[n, 6]
 target y: f64[n, 2]
 output p = x |> standardize |> dense(4) |> gelu |> layer_norm |> dense(2)
 loss = mse(p, y) + 1e-3 * l2(weights)
}
train { optimizer = lamb(lr = cosine(1e-2, epochs = 3)) gradients = clip_by_norm(gradients, 1) average = ema(decay = 0.9) }
)"},
    {"functions", R"(
model functions {
 input x: [n, 6]
 target y: [n, 2]
 fn local(a, k = 2) = if k > 1 then a * k else a
 fn twice(f, a) { let b = f(a) return f(b) }
 output p = dense(twice(local, x) + local(k = 3, a = x) + (fn(q, s = 2) = q^s)(x), 2)
 loss = huber(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"gradients", R"(
model gradients {
 input x: [n, 6]
 target y: [n, 2]
 let h = x |> dense(3) |> tanh |> dense(2)
 let g = grad(sum(h), x)
 let gg = grad(sum(g^2), x)
 let v = hvp(sum(h), x, x)
 let j = jvp(h, x, x)
 output p = h + 0.01 * j
 output slope = g
 loss fit = mse(p, y)
 loss pen = 0.1 * mean(g^2) + 0.01 * mean(gg^2) + 0.01 * mean(v)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"groups", R"(
model groups {
 input x: [n, 6]
 target y: [n, 2]
 let encoder = dense(4)
 let head = dense(2)
 output p = x |> encoder |> tanh |> head
 loss = mse(p, y)
}
train { optimizer = adamw(lr = 1e-3, weight_decay = 0.01) groups = [freeze("encoder.b"), group("*.b", weight_decay = 0), group("head", optimizer = sgd(lr = 0.1))] accumulate = 2 }
)"},
    {"growing_images", R"(
model growing_images {
 input x: [n, 3, 4, 2]
 target y: [n, 6, 8, 1]
 output p = x |> depthwise_conv2d(padding = 1) |> dense(4) |> group_norm(2) |> silu |> conv2d_transpose(3, size = 3, padding = 1) |> pad(0, 1, axis = [1, 2]) |> conv2d(1, padding = 1)
 loss = mse(p + upsample2d(x)[:, :, :, :1], y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"images", R"(
model images {
 input x: [n, 4, 4, 1]
 target y: [n, 2]
 output p = x |> conv2d(4, padding = 1) |> batch_norm |> relu |> max_pool2d |> reshape([n, 16]) |> dense(2)
 loss = cross_entropy(softmax(p), y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"indexing", R"(
model indexing {
 input x: [n, 6]
 target y: [n, 2]
 let a = x[:, 0] + x[:, -1]
 let b = x[:, 2:5] |> sum(axis = 1)
 let c = x[:, :-2] 
 let d = x[:, 3:]
 let e = x[1:n, 0] |> sum
 let f = x[0] |> sum
 let g = x[:n - 1, 1]
 output p = dense(c, 2) + dense(d, 2) + reshape(a + b, [n, 1]) + 0.01 * (e + f + sum(g))
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"remainders_and_steps", R"(
model remainders_and_steps {
 input x: [n, 7]
 input k: int[n, 3]
 target y: [n, 1]
 let a = 5 * x[:, ::2] % 2
 let b = 3 * x[:, 1:-1:3] % (2 + x[:, :2]^2)
 let c = float((k * 3 + 1) % 5 - k % -2)
 output p = dense(a, 1) + dense(b, 1) + dense(c, 1)
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"layers", R"(
model layers {
 input x: [n, 6]
 target y: [n, 2]
 layer inner(a: [n, i], units: size = 3) -> [n, units] { param w: [i, units] = he_normal state s: [i] = zeros s <- 0.9 * s + 0.1 * mean(a, 0) return (a - s) @ w }
 output p = x |> inner |> relu |> inner(2)
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"line", R"(
model line {
 input x: [n, 8, 2]
 target y: [n, 2]
 output p = x |> conv1d(4, size = 3, dilation = 2) |> silu |> average_pool1d(size = 2) |> reshape([n, -1]) |> dense(2)
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"lists", R"(
model lists {
 input x: [n, 6]
 target y: [n, 2]
 let fs = [relu, tanh, sigmoid]
 let hs = map(fs, fn(f) = f(x))
 let l = append([dense(2)], dense(2))
 let r = map(0..3, fn(i) = i^2)
 output p = l[0](hs[0]) + l[-1](hs[1]) + len(l[0:1]) * sum(r) * l[0](hs[2]) + len([1, 2])
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"literals", R"(
model literals {
 input x: [n, 6]
 target y: [n, 2]
 let k = [[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]]
 output p = x @ transpose(k) * [0.1, 0.2] + dense(x, 2)
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"logic", R"(
model logic {
 input x: [n, 6]
 target y: [n, 2]
 let c = x > 0 and not (x >= 1 or x == 2) or x != x
 let h = if c then x else -x
 output p = h |> dense(2)
 output q = if x[:, 0] < 0 then 1 else 0
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"loops", R"(
layer mlp(x, sizes) { let h = x for s in sizes { h = h |> dense(s) |> tanh } return h }
model loops {
 input x: [n, 6]
 target y: [n, 2]
 let h = x
 repeat 2 { h = h |> dense(4) |> relu }
 for i in 0..2 { h = h + h |> dense(4) }
 for u in [5, 3] { h = h |> dense(u) }
 output p = h |> mlp([8, 2])
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"many", R"(
model many {
 input a: [n, 3], b: [n, 2]
 input s: [n, 1]
 target y: [n, 1], z: [n, 2]
 let h = a |> dense(4)
 output p = h |> dense(1) |> sigmoid, q = concat([h, b], axis = 1) |> dense(2)
 loss first = bce(p, y, weight = s)
 loss second = mse(q, z), third = 1e-3 * l2(weights)
 metric f1 = f1_score(p, y), err = rmse(q, z)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"matmul", R"(
model matmul {
 input x: [n, 6]
 target y: [n, 2]
 let a = reshape(x, [n, 2, 3])
 let g = a @ transpose(a, [0, 2, 1])
 param w: [3, 4] = glorot_uniform
 let h = reshape(a @ w, [n, 8]) 
 let e = einsum("nij,njk->nik", a, transpose(a, [0, 2, 1]))
 output p = concat([h, reshape(g - e, [n, 4])], axis = 1) |> dense(2)
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"moving", R"(
model moving {
 input x: [n, 6]
 target y: [n, 2]
 let r = reshape(x, [n, 3, 2])
 let t = transpose(r, [0, 2, 1])
 let s = split(x, 3)
 let q = split(x, [1, 5])
 let w = pad(x, 1, 2)
 let k = stack([s[0], s[1], s[2]], axis = 1)
 let z = squeeze(expand(x, 1), 1) + reverse(x, 1)
 let v = windows(x, 1, 3, stride = 2)
 output p = concat([reshape(t, [n, 6]), q[1], w, reshape(k, [n, 6]), z, reshape(v, [n, 6])], axis = -1) |> dense(2)
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"multilabel", R"(
model multilabel {
 input x: [n, 6]
 target y: [n, 5]
 output p = x |> dense(5) |> sigmoid
 loss = bce(p, y, label_smoothing = 0.1, positive_weight = 2)
 metric acc = accuracy(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"optim", R"(
optimizer mine(w, g, lr = 0.1) { state v = zeros state k: [] = ones v <- 0.9 * v + g k <- k * 0.9 w <- w - lr * k * v }
fn schedule(lr) = if epoch < 1 then lr else lr / (1 + step)
model optim {
 input x: [n, 6]
 target y: [n, 2]
 output p = x |> dense(2) 
 loss = mse(p, y)
}
train { optimizer = mine(lr = schedule(0.1)) batch = 4 epochs = 3 seed = 9 memory = 64 MiB }
)"},
    {"reductions", R"(
model reductions {
 input x: [n, 6]
 target y: [n, 2]
 let a = sum(x, 1) + mean(x, axis = 1) + max(x, axis = -1) - min(x, axis = 1)
 let b = logsumexp(x, 1) + variance(x, 1) + norm(x, 1)
 let c = float(argmax(x)) + float(argmin(x))
 let d = sum(x, axis = n, keep = true)
 let e = count(x, 1)
 let f = cumulative_sum(x)
 output p = stack([a, b + c], axis = 1) + mean(d) / e + dense(f, 2)
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"seq", R"(
model seq {
 input x: [n, 5, 4]
 target y: [n, 2]
 let h = x |> gru(4, sequence = true) |> lstm(4, sequence = true) |> sinusoidal_position |> multi_head_attention(heads = 2, causal = true)
 output p = mean(h, axis = 1) |> dense(2)
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"sharing", R"(
model sharing {
 input x: [n, 6]
 target y: [n, 2]
 let f = dense(3)
 let g = [dense(2)]
 output p = g[0](f(x)) + g[0](f(-x))
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"symbolic", R"(
fn halves(x: [n, 2 * d]) = x[:, :d] * x[:, d:] + d
model symbolic {
 input x: [n, 6]
 input z: [n, 3, 4]
 target y: [n, 2]
 output p = (x |> halves |> dense(2)) + (z |> dense(2) |> mean(axis = 1)) 
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
    {"types", R"(
model types {
 input x: [n, 3]
 input a: f64[n, 2]
 input k: int[n]
 input b: bool[n, 1]
 target y: [n, 2]
 output p = f32(dense(a, 2)) + embedding(k, 5, 2) + (if b then 1 else 0) * dense(x, 2)
 output whole = k * 2 + 1, truth = b
 loss = mse(p, y)
}
train { optimizer = sgd(lr = 0.1) }
)"},
};

/// What an input may be given: numbers of float32 in (-2, 2); of targets and truths 0 and 1; below 5 of whole ones.
std::vector<double> numbers_for(const ir::Input& input, std::uint32_t stream) {
  const auto count = static_cast<std::uint32_t>(ir::element_count(input.shape, {{"n", kRows}}));
  std::vector<double> values;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto uniform = static_cast<double>(ir::uniform_from_bits(ir::threefry2x32(5, stream, i, 0)[0]));
    const bool is_class = input.is_target || input.dtype == ir::DType::boolean;
    values.push_back(is_class                        ? std::floor(2 * uniform)
                     : input.dtype == ir::DType::i32 ? std::floor(5 * uniform)
                                                     : 4 * uniform - 2);
  }
  return values;
}

/// What both begin with: inputs, and first values as the variables hold them.
test::Values start_of(const ir::Program& program) {
  const auto first = test::interpreted(program);
  first->dimensions = {{"n", kRows}};
  std::uint32_t stream = 0;
  for (const ir::Input& input : program.inputs) first->tensors[input.name] = numbers_for(input, ++stream);
  first->run("initial");
  for (const ir::Variable& v : program.variables) {
    if (v.dtype == ir::DType::f64) continue;
    for (double& value : first->tensors[v.name]) value = static_cast<double>(static_cast<float>(value));
  }
  return first->tensors;
}

/// Relative to 1 + the largest value of the tensor: products of up to some hundred float32 numbers, each within 2^-24,
/// a second derivative of them, and the optimizer's step of that.
void check_agreement(const test::Values& exact, const test::Values& found, double tolerance = 2e-5) {
  for (const auto& [name, values] : exact) {
    INFO(name);
    REQUIRE(found.contains(name));
    REQUIRE(found.at(name).size() == values.size());
    double scale = 1, worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      scale = std::max(scale, 1 + std::fabs(values[i]));
      const double error = std::fabs(found.at(name)[i] - values[i]);
      if (!(error <= worst)) worst = error;
    }
    CHECK(worst <= tolerance * scale);
  }
}

}  // namespace

TEST_CASE("every_construct_of_the_language_is_computed_as_the_interpreter_does") {
  for (const Construct& c : kConstructs) {
    INFO(c.name);
    const ir::Program written = *frontend::load_model(c.text, c.name).program;
    const ir::Program optimized = passes::run_pipeline(written), differentiated = passes::differentiate(written);
    const auto exact = test::interpreted(differentiated);
    const auto code = test::compiled(optimized, {"step", "predict"});
    exact->tensors = code->tensors = start_of(optimized);
    exact->dimensions = code->dimensions = {{"n", kRows}};
    for (const char* function : {"predict", "step", "predict"}) {
      INFO(function);
      check_agreement(exact->run(function), code->run(function));
    }
  }
}
