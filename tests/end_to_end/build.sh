#!/usr/bin/env bash
# descent build: object files and headers as C and C++ programs use them.
set -uo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
examples=$SOURCE_DIR/examples
failed=0
fail() {
  printf 'FAILED: %s\n' "$*"
  failed=1
}

# says STATUS TEXT COMMAND...: the status, and a part of what is printed
says() {
  local status=$1 part=$2 output got
  shift 2
  output=$("$@" 2>&1)
  got=$?
  if [ $got != "$status" ] || [[ "$output" != *"$part"* ]]; then
    fail "$*: expected $status and '$part', got $got: $output"
  fi
}

warnings="-Wall -Wextra -pedantic -Werror"
says 0 "xor.o: " "$DESCENT" build "$examples/embed/xor.descent" -o xor.o --header xor.h
says 0 "" cc -std=c11 $warnings -O2 -I. "$examples/embed/standalone.c" xor.o -o standalone
says 0 "0 xor 1 = 0.9" ./standalone

# Two models, one of them with weights, in one program of C++; each header twice, and what it says of the numbers.
says 0 "" "$DESCENT" train "$examples/tumour.descent" --epochs 3 --save w.safetensors
says 0 "tumour_create" "$DESCENT" build "$examples/tumour.descent" -o tumour.o --header tumour.h --weights w.safetensors --batch 64
cat > both.cpp <<'END'
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tumour.h"
#include "xor.h"
#include "xor.h"

int main() {
  void *memory = std::aligned_alloc(64, (TUMOUR_BYTES + 63) / 64 * 64), *other = std::aligned_alloc(64, XOR_BYTES);
  tumour_model *tumour = tumour_create(memory, 0);
  xor_model *x_or = xor_create(other, 0);
  if (tumour == nullptr || x_or == nullptr || TUMOUR_BATCH != 64) return 1;
  static float x[200 * 30], y[200], p[200], again[200];
  for (int i = 0; i < 200 * 30; ++i) x[i] = tumour_value_standardize_0_mean(tumour)[i % 30] * (1 + std::sin(float(i)) / 10);
  if (tumour_predict(tumour, x, p, 200) != 0 || tumour_predict(tumour, x, p, -1) != 1) return 2;
  if (!std::isnan(tumour_step(tumour, x, y, 65))) return 3;
  // What has been kept goes on where it was.
  static unsigned char kept[TUMOUR_STATE_BYTES];
  std::memcpy(kept, memory, sizeof kept);
  const float loss = tumour_step(tumour, x, y, 64);
  if (!(loss > 0) || *tumour_steps(tumour) != 1) return 4;
  std::memcpy(memory, kept, sizeof kept);
  if (tumour_step(tumour, x, y, 64) != loss) return 5;
  // Other numbers, other outputs.
  std::memcpy(memory, kept, sizeof kept);
  *tumour_value_dense_1_b(tumour) += 3;
  if (tumour_predict(tumour, x, again, 200) != 0 || std::memcmp(again, p, sizeof p) == 0) return 6;
  std::free(memory);
  std::free(other);
  return 0;
}
END
says 0 "" c++ -std=c++17 $warnings -I. both.cpp tumour.o xor.o -o both
says 0 "" ./both

# Other machines.
says 2 "write --header both.h" "$DESCENT" build "$examples/embed/xor.descent" -o both --header both
says 0 "" "$DESCENT" build "$examples/embed/xor.descent" -o arm.o --header arm.h --target aarch64-linux-gnu --cpu neoverse-n1
says 0 "" "$DESCENT" build "$examples/embed/xor.descent" -o avx2.o --header avx2.h --cpu x86-64-v3
# Also where there are no instructions for a multiply-add and rounding, nothing is called but memcpy and memset.
says 0 "" "$DESCENT" build "$examples/embed/xor.descent" -o old.o --header xor.h --target x86_64-linux-gnu --cpu x86-64
says 1 "" grep -vqE ' (memcpy|memset)$' <(nm -u old.o)
if [ "$(uname -m)" = x86_64 ]; then
  says 0 "" cc -std=c11 $warnings -O2 -I. "$examples/embed/standalone.c" old.o -o old
  says 0 "0 xor 1 = 0.9" ./old
fi

# Whole numbers are the same on all processors: of what 32 bits do not hold, of NaN, and of sums and products that wrap.
cat > whole.descent <<'END'
model whole {
    input  x: [n, 1]
    output i = int(x), next = int(x) + 1, square = int(x) * int(x)
}
END
cat > whole.c <<'END'
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "whole.h"

int main(void) {
  const float x[9] = {3e9f, -3e9f, 0x1p31f, 2147483520, INFINITY, -INFINITY, NAN, -1.9f, 46341};
  int i[9], next[9], square[9];
  whole_model *model = whole_create(aligned_alloc(64, (WHOLE_BYTES + 63) / 64 * 64), 0);
  if (model == NULL || whole_predict(model, x, i, next, square, 9) != 0) return 1;
  for (int k = 0; k < 9; ++k) printf("%d %d %d,", i[k], next[k], square[k]);
  return 0;
}
END
processors=""
if [ "$(uname -m)" = x86_64 ]; then
  processors="x86-64 $(grep -qw avx2 /proc/cpuinfo && echo x86-64-v3) $(grep -qw avx512vl /proc/cpuinfo && echo x86-64-v4)"
fi
for cpu in $processors; do
  says 0 "" "$DESCENT" build whole.descent -o whole.o --header whole.h --target x86_64-linux-gnu --cpu "$cpu"
  says 0 "" cc -std=c11 $warnings -O1 -I. whole.c whole.o -o whole
  says 0 "2147483647 -2147483648 1,-2147483648 -2147483647 0,2147483647 -2147483648 1,2147483520 2147483521 16384,$(
  )2147483647 -2147483648 1,-2147483648 -2147483647 0,0 1 0,-1 0 1,46341 46342 -2147479015," ./whole
done
says 2 "there is no processor 'z80'" "$DESCENT" build "$examples/embed/xor.descent" -o no.o --header no.h --cpu z80
says 2 "there is no code generator for the target 'mips-linux'" \
  "$DESCENT" build "$examples/embed/xor.descent" -o no.o --header no.h --target mips-linux

# The header of another batch.
says 0 "" "$DESCENT" build "$examples/embed/xor.descent" -o more.o --header xor.h --batch 99
says 1 "xor_create_" cc -I. "$examples/embed/standalone.c" xor.o -o mixed

# Mistakes leave no files.
says 2 "--header is required" "$DESCENT" build "$examples/embed/xor.descent" -o no.o
says 1 "write: --weights weights.safetensors" "$DESCENT" build "$examples/tumour.descent" -o no.o --header no.h
says 1 "these weights are not of the model 'xor'" \
  "$DESCENT" build "$examples/embed/xor.descent" -o no.o --header no.h --weights w.safetensors
says 1 "no/such/folder" "$DESCENT" build "$examples/embed/xor.descent" -o no.o --header no/such/folder/no.h
if ls no.* >/dev/null 2>&1; then fail "files of a failed build"; fi
exit $failed
