// Ten small models, different in layers, losses and constants: what holds for every model is tested on each.
#pragma once

#include <array>
#include <string>

namespace descent::test {

/// The statements of models over x: [n, 7] and y: [n, 1] of 0 and 1.
inline const std::array<const char*, 10> model_bodies = {
    " output p = sigmoid(dense(x, 1))\n loss = bce(p, y)\n",
    " output p = x |> dense(16) |> relu |> dense(1) |> sigmoid\n loss = bce(p, y)\n",
    " output p = x |> dense(33) |> tanh |> dense(5) |> tanh |> dense(1)\n loss = mse(p, y)\n",
    " output p = x |> standardize |> dense(8) |> softplus |> dense(1) |> sigmoid\n loss = bce(p, y) + 1e-3 * "
    "l2(weights)\n",
    " output p = x |> dense(16) |> relu |> dropout(0.3) |> dense(1) |> sigmoid\n loss = bce(p, y)\n",
    " let h = dense(x, 12)\n output p = dense(h * sigmoid(h) + h, 1)\n loss = mean(abs(p - y))\n",
    " param w: [7, 3] = normal\n param v: [3, 1] = glorot_uniform\n output p = exp(-(tanh(x @ w) @ v)^2)\n loss = "
    "mse(p, y) + 0.01 * l1(parameters)\n",
    " output p = x |> dense(4, init = he_normal) |> leaky_relu(0.2) |> dense(1)\n loss = mean(log(1 + exp(p)) - p * "
    "y)\n",
    " output p = sigmoid(sum(x * x, 1) |> reshape([count(y), 1]) |> dense(1))\n loss = bce(p, y)\n",
    " output p = x |> dense(3) |> silu |> dense(1) |> sigmoid\n loss = bce(p, y) + 0.1 * mean(grad(sum(p), x)^2)\n",
};

inline std::string model_text(const char* body) {
  return std::string("model m {\n input x: [n, 7]\n target y: [n, 1]\n") + body + "}";
}

}  // namespace descent::test
