#!/usr/bin/env bash
# `descent eval` prints the values of binary cross-entropy and of its gradient that a textbook gives.
set -uo pipefail
failed=0
prints() { # VALUE ARGUMENTS... : `descent eval ARGUMENTS` prints VALUE
  local expected=$1 got
  shift
  got=$("$DESCENT" eval "$@" 2>&1)
  [ "$got" = "$expected" ] || { echo "FAILED: eval $*: expected $expected, got $got"; failed=1; }
}
prints 0.105361 "bce(0.9, 1)"
prints 2.302585 "bce(0.1, 1)"
prints 0.105361 "bce(0.1, 0)"
prints 2.302585 "bce(0.9, 0)"
prints 0.328504 "bce(0.72, 1)"
prints -0.377541 "grad(bce(sigmoid(z), 1), z)" z=0.5
prints 10000.000000 "bce(sigmoid(z), 0)" z=10000
prints -1.000000 "grad(bce(sigmoid(z), 1), z)" z=-10000
prints "1:5: error: unknown name 'x'
  1 | sin(x)
    |     ^
    = help: give it a value behind the expression: x=1" "sin(x)"
exit $failed
