#!/usr/bin/env bash
# Interrupted training saves what was learned, and goes on from there as if it had not been interrupted. Standard streams
# that are full, closed or no longer read lose what was said, not what was learned; results that were not written are an
# error.
set -uo pipefail
folder=$(mktemp -d)
trap 'kill -9 $(jobs -p) 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
failed=0
fail() { echo "FAILED: $*"; failed=1; }
model=$SOURCE_DIR/examples/autoencoder.descent tumour=$SOURCE_DIR/examples/tumour.descent

# Waits until the training in the background has shown its first epoch.
wait_for_epoch() {
  for _ in $(seq 600); do
    grep -qs '^epoch' "$1" && return
    sleep 0.05
  done
  fail "no epoch in $1"
}
# Non-interactive shells start background jobs with SIGINT ignored.
start() { exec env --default-signal=INT,HUP,TERM "$DESCENT" train "$model" --epochs 1000000 "$@"; }

for signal in INT TERM HUP; do
  rm -f weights log
  start --save weights --json >out 2>log &
  wait_for_epoch log
  kill -$signal $!
  wait $!
  status=$?
  [ $status = $((128 + $(kill -l $signal))) ] || fail "$signal: status $status"
  [ -s weights ] || fail "$signal: no weights"
  grep -q '^interrupted: saving the weights; once more ends at once' log || fail "$signal: says nothing"
  [ "$(ls | grep -c weights)" = 1 ] || fail "$signal: leaves other files"
done
epochs=$(grep -oP '"epochs":\K[0-9]+' out | head -1)
"$DESCENT" train "$model" --resume weights --epochs 2 --save weights >/dev/null 2>&1
"$DESCENT" train "$model" --epochs $((epochs + 2)) --save straight >/dev/null 2>&1
cmp weights straight || fail "not the weights of $epochs epochs and two more"
grep -q '"epochs":[1-9]' out || fail "no report"

# Without --save there is nothing to keep.
rm -f log
start >out 2>log &
wait_for_epoch log
kill -INT $!
wait $!
[ $? = 130 ] || fail "without --save"

# In the middle of a long epoch, training ends there, and goes on from there.
cat >long.descent <<'END'
model long {
    input  x: [n, 1]
    target y: [n, 1]
    output p = x |> dense(256) |> relu |> dropout(0.1) |> dense(256) |> relu |> dense(1)
    loss = mse(p, y)
}
train {
    batch = 1
}
END
seq 30000 | awk 'BEGIN { print "x,y" } { print $1 % 7 "," $1 % 5 }' >long.csv
start_long() { exec env --default-signal=INT,TERM "$DESCENT" train "$@" --save long; }
rm -f log
start_long long.descent --data long.csv >out 2>log &
wait_for_epoch log
sleep 0.1
kill -INT $!
wait $!
[ $? = 130 ] || fail "a long epoch: status"
grep -q '"epoch.batches":' long || fail "a long epoch: it was finished"
grep -q '^1 epoch (interrupted)' out || fail "a long epoch: $(cat out)"
"$DESCENT" train long.descent --data long.csv --resume long --epochs 1 --threads 2 --save long >/dev/null 2>&1
"$DESCENT" train long.descent --data long.csv --epochs 2 --save straight >/dev/null 2>&1
cmp long straight || fail "a long epoch: other weights"

# The second one ends at once, in the middle of a step that takes long; what was saved before is as it was.
cat >huge.descent <<'END'
model huge {
    input  x: [n, 1]
    target y: [n, 1]
    let h = x
    repeat 8 { h = h |> dense(1024) |> relu }
    output p = dense(h, 1)
    loss = mse(p, y)
}
END
head -6000 long.csv >huge.csv
for signal in INT TERM; do
  rm -f log
  echo kept >long
  start_long huge.descent --data huge.csv --batch 6000 >out 2>log &
  wait_for_epoch log
  sleep 0.1
  kill -INT $! && sleep 0.1 && kill -$signal $!
  wait $!
  status=$?
  [ $status = $((128 + $(kill -l $signal))) ] || fail "second signal $signal: status $status"
  [ "$(head -c 4 long)" = kept ] || fail "second signal $signal: the file was written"
done

# Early stopping goes on too: the best epoch and how long it has not been beaten are kept, and the latest weights beside
# the best ones.
cp "${model%/*}/wine.csv" .
sed 's/    batch .*/    stop = early(validation.loss, patience = 7)/' "${model%/*}/wine.descent" >stops.descent
"$DESCENT" train stops.descent --epochs 90 --save straight >out 2>/dev/null
grep -q 'stopped early' out || fail "does not stop early"
for parts in "5 10" "10 3" "14 1"; do
  "$DESCENT" train stops.descent --epochs "${parts% *}" --save part >/dev/null 2>&1
  "$DESCENT" train stops.descent --epochs "${parts#* }" --resume part --save part >/dev/null 2>&1
  "$DESCENT" train stops.descent --epochs 90 --resume part --save part >/dev/null 2>&1
  cmp part straight || fail "parts of $parts epochs are not as one training"
done
# Files that do not say it, and those of another figure, begin anew.
"$DESCENT" train "${model%/*}/wine.descent" --epochs 5 --batch 32 --save unsaid >/dev/null 2>&1
sed 's/validation.loss/validation.accuracy/' stops.descent >other.descent
for file in unsaid part; do
  "$DESCENT" train other.descent --epochs 2 --resume "$file" --save anew >out 2>&1 || fail "resume $file: $(cat out)"
  grep -q '"stop.figure":"accuracy"' anew || fail "another figure: $file"
done

# Nobody reads what is said.
mkfifo said
head -1 <said >first &
start --save unread >said 2>&1 &
training=$!
wait_for_epoch first
sleep 0.2
kill -TERM $training
wait
[ -s unread ] || fail "unread: no weights"

# Standard error is full or closed: the work goes on.
"$DESCENT" train "$tumour" --epochs 2 --save full >out 2>/dev/full || fail "full log"
"$DESCENT" train "$tumour" --epochs 2 --save closed <&- >&- 2>&-
cmp full closed || fail "closed streams"
"$DESCENT" check "$tumour.none" 2>/dev/full
[ $? = 1 ] || fail "a mistake that cannot be said"

# A result that cannot be written is an error, however short it is.
for command in 'eval 1+1' '--help' 'doc' "dump $tumour --stage graph" "predict $tumour --weights full --data ${tumour%/*}/breast_cancer.csv" \
  "train $tumour --epochs 1 --json"; do
  # shellcheck disable=SC2086
  "$DESCENT" $command >/dev/full 2>err
  status=$?
  [ $status = 1 ] && grep -q '^standard output: error: cannot be written: No space left on device' err ||
    fail "$command: status $status, $(cat err)"
done
"$DESCENT" eval 1+1 >&- 2>err
[ $? = 1 ] || fail "closed output"
exit $failed
