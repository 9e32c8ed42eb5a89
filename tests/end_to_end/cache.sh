#!/usr/bin/env bash
# Compiled code is kept for the next process: which trains the same weights without loading LLVM, whatever happens to the
# cache meanwhile.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
model=$SOURCE_DIR/examples/tumour.descent
train() { "$DESCENT" train "$model" --epochs 5 --save "$folder/$1" > /dev/null 2>&1; }
same() { cmp "$folder/none" "$folder/$1"; }

train none  # DESCENT_CACHE=off
export DESCENT_CACHE=$folder/cache
train cold && same cold
"$DESCENT" cache info | grep -q "^$folder/cache: [1-9][0-9]* entries"
train warm && same warm
# From the cache the library with LLVM is not even opened.
if LD_DEBUG=files "$DESCENT" train "$model" --epochs 5 2>&1 > /dev/null | grep libLLVM; then exit 1; fi

# Damaged entries, and eight processes that fill one empty cache at once, some of them killed.
for entry in "$folder"/cache/*.objects; do printf damaged > "$entry"; done
train damaged && same damaged
"$DESCENT" cache clear > /dev/null
pids=()
for i in 1 2 3 4 5 6 7 8; do
  train "many$i" &
  pids+=($!)
done
sleep 0.1
kill -9 "${pids[1]}" "${pids[5]}" 2> /dev/null || true
for i in 1 3 4 5 7 8; do wait "${pids[$((i - 1))]}" && same "many$i"; done
wait || true
train last && same last

# A cache that cannot be written is no reason not to train.
DESCENT_CACHE=/proc/nowhere train unwritable && same unwritable
