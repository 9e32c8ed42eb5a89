#!/usr/bin/env bash
# Code for AArch64 (NEON), run by an emulator: models of every kind of kernel take steps, evaluate and predict there as
# they do on this machine, to within rounding: the sums are of the same terms in another order.
set -uo pipefail
if [ "$(uname -m)" = aarch64 ]; then
  echo "this machine is one: every other test runs such code"
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
failed=0

# name, inputs of x for a row, targets of a row, body, the dtype of the numbers
model() {
  local name=$1 x=$2 y=$3 body=$4 type=${5:-f32}
  cat > "$name.descent" <<END
model $name {
    input  x: ${type/f32/}[n, $x]
    target y: ${type/f32/}[n, $y]
$body
}
train {
    optimizer = adam(0.01, eps = 0.01)
    batch     = 37
}
END
  cat > "$name.c" <<END
#ifdef __aarch64__
#include "there.h"
#else
#include "here.h"
#endif
typedef $([ "$type" = f64 ] && echo double || echo float) number;
#define X $x
#define Y $y
#define MODEL(what) ${name}_##what
#define BYTES ${name^^}_BYTES
#define STATE_BYTES ${name^^}_STATE_BYTES
#include "run.h"
END
  "$DESCENT" build "$name.descent" -o here.o --header here.h > log &&
    "$DESCENT" build "$name.descent" -o there.o --header there.h --target aarch64-linux-gnu > log &&
    cc -O2 -I. "$name.c" here.o -o here &&
    clang-22 --target=aarch64-linux-gnu -O2 -I. -ffreestanding -fno-builtin -nostdlib -static -fuse-ld=lld "$name.c" there.o -o there &&
    ./here > here.numbers && qemu-aarch64 ./there > there.numbers &&
    ./here there.numbers < here.numbers || { echo "FAILED: $name"; failed=1; }
}

cat > run.h <<'END'
#ifdef __aarch64__
#include <stddef.h>
static long system_call(long number, long a, long b, long c) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}
static void put(const void *bytes, size_t count) {
  for (size_t done = 0; done < count;) done += (size_t)system_call(64, 1, (long)((const char *)bytes + done), (long)(count - done));
}
void *memcpy(void *to, const void *from, size_t count) {
  for (size_t i = 0; i < count; ++i) ((char *)to)[i] = ((const char *)from)[i];
  return to;
}
void *memset(void *to, int value, size_t count) {
  for (size_t i = 0; i < count; ++i) ((char *)to)[i] = (char)value;
  return to;
}
#else
#include <stdio.h>
#include <string.h>
static void put(const void *bytes, size_t count) { fwrite(bytes, 1, count, stdout); }
#endif

enum { rows = 37, steps = 3 };
static _Alignas(64) unsigned char memory[BYTES];
static number x[rows * X], y[rows * Y], p[rows * Y + rows], losses[steps + 1];

/* Steps on 37, 36 and 35 rows, an evaluation and a prediction of all; then what the model keeps. */
static void run(void) {
  unsigned seed = 1;
  for (int i = 0; i < rows * X; ++i) x[i] = (number)((seed = seed * 1664525u + 1013904223u) >> 8) / 8388608 - 1;
  for (int i = 0; i < rows * Y; ++i) y[i] = (number)((seed = seed * 1664525u + 1013904223u) >> 31);
  void *model = (void *)MODEL(create)(memory, 3);
  for (int i = 0; i < steps; ++i) losses[i] = MODEL(step)(model, x, y, rows - i);
  losses[steps] = MODEL(evaluate)(model, x, y, rows);
  MODEL(predict)(model, x, p, rows);
  put(losses, sizeof losses);
  put(p, sizeof p);
  put(memory, STATE_BYTES);
}

#ifdef __aarch64__
void _start(void) {
  run();
  system_call(94, 0, 0, 0);
}
#else
static number size_of(number a) { return a < 0 ? -a : a; }

/* Without arguments: the numbers. With the name of a file of them: whether they are those of standard input. */
int main(int count, char **arguments) {
  if (count == 1) {
    run();
    return 0;
  }
  FILE *other = fopen(arguments[1], "rb");
  number a, b, largest = 0;
  size_t compared = 0;
  for (; fread(&a, sizeof a, 1, stdin) == 1; ++compared) {
    if (fread(&b, sizeof b, 1, other) != 1) return 1;
    /* What is no number of the model, such as the count of the steps, is the same. */
    if (memcmp(&a, &b, sizeof a) == 0) continue;
    const number difference = size_of(a - b) / (1 + size_of(a));
    if (!(difference <= (sizeof a == 8 ? 1e-12 : 1e-5))) {
      printf("number %zu: %.9g here, %.9g there\n", compared, (double)a, (double)b);
      return 1;
    }
    if (difference > largest) largest = difference;
  }
  printf("%zu numbers, %.2g apart at most\n", compared, (double)largest);
  return fread(&b, sizeof b, 1, other) == 0 && compared > 40 ? 0 : 1;
}
#endif
END

model dense 30 1 '    output p = x |> dense(67) |> relu |> dense(33) |> tanh |> dense(1) |> sigmoid
    loss = bce(p, y) + 1e-3 * l2(weights)'
model wide 700 3 '    output p = x |> dense(300) |> gelu |> dense(3) |> softmax
    loss = mean(-sum(y * log(p), axis = 1))'
model image 192 2 '    let v = reshape(x, [n, 8, 8, 3]) |> conv2d(6, padding = 1) |> batch_norm |> relu |> max_pool2d |> conv2d(16) |> relu
    output p = reshape(v, [n, 64]) |> dropout(0.1) |> dense(2) |> sigmoid
    loss = bce(p, y)'
model attention 96 1 '    let v = reshape(x, [n, 6, 16])
    let h = v + multi_head_attention(layer_norm(v), heads = 2)
    output p = reshape(h, [n, 96]) |> dense(1) |> sigmoid
    loss = bce(p, y)'
model recurrent 40 1 '    let v = reshape(x, [n, 10, 4])
    let cell = gru_cell(reset_after = false)
    let h = dense(v[:, 0], 9)
    for k in 0..10 { h = cell(v[:, k], h) }
    output p = dense(h, 1) |> sigmoid
    loss = bce(p, y)'
model double 20 1 '    output p = x |> dense(31) |> softplus |> dense(1) |> sigmoid
    loss = bce(p, y)' f64
exit $failed
