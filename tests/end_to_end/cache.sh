#!/usr/bin/env bash
# Compiled code is kept for the next process: which trains the same weights without loading LLVM, whatever happens to the
# cache meanwhile.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
model=$SOURCE_DIR/examples/tumour.descent
train() { "$DESCENT" train "$model" --epochs 5 --save "$folder/$1" "${@:2}" > /dev/null 2> "$folder/messages"; }
same() { cmp "$folder/none" "$folder/$1"; }

train none  # DESCENT_CACHE=off
export DESCENT_CACHE=$folder/cache
train cold && same cold
"$DESCENT" cache info | grep -q "^$folder/cache: [1-9][0-9]* entries"
train warm && same warm
# On several threads neither: what these must know of the kernels is in the cache, so nothing is lowered or planned.
train two --threads 2 --time-passes && same two
for stage in shapes simplify differentiate plan "load LLVM"; do grep -Eq "^$stage +0\.00 " "$folder/messages"; done
# From the cache the library with LLVM is not even opened; damaged entries are compiled again.
opens_llvm() {
  LD_DEBUG=files "$DESCENT" train "$model" --epochs 5 > /dev/null 2> "$folder/files"
  grep -q libdescent_llvm "$folder/files"
}
damage() { for entry in "$folder"/cache/*.objects; do printf damaged > "$entry"; done; }
if opens_llvm; then exit 1; fi
damage
opens_llvm
damage
train damaged && same damaged

# Eight processes that fill one empty cache at once, two of them killed at random points: the others train right, and the
# cache holds what the next process needs, whole.
seed=$$
echo "seed $seed"
RANDOM=$seed
for round in 1 2 3; do
  "$DESCENT" cache clear > /dev/null
  pids=()
  for i in 1 2 3 4 5 6 7 8; do
    train "many$i" &
    pids+=($!)
  done
  for victim in 1 5; do
    sleep "0.0$((RANDOM % 10))"
    kill -9 "${pids[$victim]}" 2> /dev/null || true
  done
  for i in 1 3 4 5 7 8; do wait "${pids[$((i - 1))]}" && same "many$i"; done
  wait || true
  train last && same last
  if opens_llvm; then exit 1; fi
done

# Code for an older processor, which DESCENT_CPU names, is kept beside the code for this one.
if [ "$(uname -m)" = x86_64 ]; then
  "$DESCENT" cache clear > /dev/null
  train here
  export DESCENT_CPU=x86-64
  if "$DESCENT" dump "$model" --stage=asm | grep -Eq '%[yz]mm'; then exit 1; fi
  opens_llvm
  if opens_llvm; then exit 1; fi
  train older
  if same older; then exit 1; fi
  export DESCENT_CPU=diamondrapids
  if ! grep -qw amx_movrs /proc/cpuinfo; then
    if train newer; then exit 1; fi
    grep -q "this processor cannot run the code of 'diamondrapids', which has " "$folder/messages"
  fi
  export DESCENT_CPU=none
  if train unknown; then exit 1; fi
  grep -q "there is no processor 'none'" "$folder/messages"
  unset DESCENT_CPU
  if opens_llvm; then exit 1; fi
  train last && same last
fi

# A cache that cannot be written is no reason not to train.
DESCENT_CACHE=/proc/nowhere train unwritable && same unwritable
