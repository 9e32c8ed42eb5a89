#!/usr/bin/env bash
# The commands for writing models: format, doc, completions, and check for editors.
set -uo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
failed=0

# says STATUS COMMAND...: the status, and exactly what is expected on standard input, standard output before error
says() {
  local status=$1 expected got output
  shift
  expected=$(cat)
  output=$("$@" 2>err)
  got=$?
  output+=$(cat err)
  if [ $got != "$status" ] || [ "$output" != "$expected" ]; then
    printf 'FAILED: %s\nexpected %s:\n%s\ngot %s:\n%s\n' "$*" "$status" "$expected" "$got" "$output"
    failed=1
  fi
}

printf 'model m {\ninput x: [n,2]  // the data\n   output p=x\n}' > m.descent
says 1 "$DESCENT" format m.descent --check <<'END'
m.descent is not formatted
  = help: run descent format m.descent
END
says 0 "$DESCENT" format m.descent </dev/null
says 0 cat m.descent <<'END'
model m {
    input x: [n, 2]  // the data
    output p = x
}
END
says 0 "$DESCENT" format m.descent --check </dev/null
says 0 "$DESCENT" check m.descent --json <<'END'
{"mistakes":[],"warnings":[]}
END

printf 'model m {\n    input x: [n, 2]\n    let x = 1\n    output p = y\n}\n' > wrong.descent
says 1 "$DESCENT" check wrong.descent --json <<'END'
{"mistakes":[{"column":9,"file":"wrong.descent","hint":"write x = ... to give it a new value","length":1,"line":3,"message":"'x' is declared twice","notes":[{"column":11,"file":"wrong.descent","length":1,"line":2,"message":"first declared here"}]},{"column":16,"file":"wrong.descent","hint":"","length":1,"line":4,"message":"unknown name 'y'","notes":[]}],"warnings":[]}
END

says 0 "$DESCENT" doc relu <<'END'
fn relu(x)

The rectifier, max(x, 0); its derivative at 0 is 0.
Shapes: any.
Source: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010.
Example: x |> dense(16) |> relu

    fn relu(x) = max(x, 0)
END
says 0 "$DESCENT" doc exp <<'END'
exp(x)

e to the power x.
END
says 1 "$DESCENT" doc sigmoyd <<'END'
error: nothing is called 'sigmoyd'
  = help: did you mean 'sigmoid'?
END
listing=$("$DESCENT" doc)
# Each entry with its first sentence, or as much as fits into a line.
cut=$(grep '^  ' <<<"$listing" | grep -vE '(\.|\?|:| \.\.\.)$')
[ -z "$cut" ] || { printf 'FAILED: doc lists what ends amid a sentence:\n%s\n' "$cut"; failed=1; }
long=$(grep -E '.{131}' <<<"$listing")
[ -z "$long" ] || { printf 'FAILED: doc lists what is longer than a line:\n%s\n' "$long"; failed=1; }
for section in Activations Losses Layers Optimizers 'Primitive functions'; do
  grep -qx "$section" <<<"$listing" || { echo "FAILED: doc lists no section $section"; failed=1; }
done

# The completions of bash, tried in bash.
"$DESCENT" completions bash > completions
completed=$(bash -c 'source ./completions; COMP_WORDS=(descent train --ep); COMP_CWORD=2; _descent; echo "${COMPREPLY[*]}"
                     COMP_WORDS=(descent ev); COMP_CWORD=1; _descent; echo "${COMPREPLY[*]}"')
[ "$completed" = $'--epochs\nevaluate eval' ] || { echo "FAILED: completions: $completed"; failed=1; }
for shell in zsh fish; do
  "$DESCENT" completions $shell | grep epochs >/dev/null || { echo "FAILED: completions $shell"; failed=1; }
done
for profile in '' --profile; do
  # shellcheck disable=SC2086
  says 1 "$DESCENT" bench m.descent $profile <<'END'
error: the model has no loss, so it has no training step
  = help: add a line such as: loss = bce(p, y)
END
done

# An output that depends on a target: prediction reads its column too.
cat > error.descent <<'END'
model error {
    input  x: [n, 1]
    target y: [n, 1]
    output p = x * 2
    output e = p - y
}
data {
    source = csv("pairs.csv")
    x      = column("x")
    y      = column("y")
}
END
printf 'x,y\n1,3\n2,4\n' > pairs.csv
printf 'x\n1\n' > x.csv
printf '\x02\0\0\0\0\0\0\0{}' > none.safetensors
says 0 "$DESCENT" predict error.descent --weights none.safetensors --data pairs.csv <<'END'
p,e
2,-1
4,0
END
says 1 "$DESCENT" predict error.descent --weights none.safetensors --data x.csv <<'END'
error.descent:10:21: error: x.csv has no column "y"
  10 |     y      = column("y")
     |                     ^^^
     = help: its columns are "x"
END
# What is the same for all rows stands in the first; a table of it alone has one row.
outputs() { printf 'model m {\n    input  x: [n, 2]\n    output %s\n}\n' "$1" > outputs.descent; }
printf 'a,b\n1,2\n3,4\n' > ab.csv
predict() { "$DESCENT" predict outputs.descent --weights none.safetensors --data ab.csv; }
outputs 'total = sum(x), twice = 2 * x, largest = max(x, axis = 0)'
says 0 predict <<'END'
total,twice.0,twice.1,largest.0,largest.1
10,2,4,3,4
,6,8,,
END
outputs 'total = sum(x)'
says 0 predict <<'END'
total
10
END
outputs 't = transpose(x)'
says 1 predict <<'END'
error: the output 't' is [2, n], which is no row of a table for each row of the data
  = help: give it the batch as its first axis
END
exit $failed
