#!/usr/bin/env bash
# Puts the code of libdescent_llvm.so in the order in which it runs. Compiling a model goes once or twice through some
# three megabytes of LLVM's code that lie scattered over twenty; side by side, with the branches that are taken
# laid out straight, they take fewer pages, cache lines and jumps.
#
# BOLT works on a library that was linked with its relocations (order/libdescent_llvm.so): a copy counts its own
# branches while example models are compiled; what it counts is kept for as long as LLVM is the same, and decides the
# order. The code does what it did.
#
# usage: order.sh LLVM-BOLT BUILD-FOLDER LLVM-VERSION MODELS...
set -euo pipefail
bolt=$1 build=$2 version=$3
shift 3
cd "$build/order"
library=libdescent_llvm.so counts=llvm-$version.fdata

if [ ! -s "$counts" ]; then
  rm -rf counting
  mkdir counting
  "$bolt" "$library" -o "counting/$library" -instrument -instrumentation-file="$PWD/counting/counts" \
    -instrumentation-file-append-pid > counting/log 2>&1 || { cat counting/log >&2; exit 1; }
  cp ../descent counting/  # a program finds the library that lies beside it
  for model in "$@"; do
    DESCENT_CACHE=off counting/descent bench "$model" --seconds 0.01 > /dev/null
  done
  "$(dirname "$bolt")/merge-fdata" counting/counts.* -o "$counts.new" 2> counting/log || { cat counting/log >&2; exit 1; }
  mv "$counts.new" "$counts"
  rm -rf counting
fi

"$bolt" "$library" -o ordered.so -data="$counts" -reorder-blocks=ext-tsp -reorder-functions=cdsort -split-functions \
  -split-all-cold -split-eh -icf=1 -use-gnu-stack > log 2>&1 || { cat log >&2; exit 1; }
strip ordered.so
mv ordered.so "../$library"
