#!/usr/bin/env bash
# What is wrong with the user's files, data or command line is said with its exact text, and with the right exit status.
set -uo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cp "$SOURCE_DIR/examples/tumour.descent" "$SOURCE_DIR/examples/breast_cancer.csv" .
failed=0

# says STATUS ARGUMENTS... : `descent ARGUMENTS` exits with STATUS and prints to standard error what standard input holds,
# and nothing to standard output
says() {
  local status=$1 expected got output
  shift
  expected=$(cat)
  output=$("$DESCENT" "$@" 2> errors)
  got=$?
  if [ $got != "$status" ] || [ -n "$output" ] || [ "$(cat errors)" != "$expected" ]; then
    printf 'FAILED: descent %s\nexpected %s:\n%s\ngot %s:\n%s\n%s\n' "$*" "$status" "$expected" "$got" "$output" "$(cat errors)"
    failed=1
  fi
}

# The command line.
says 2 train tumour.descent --epoch=3 <<'END'
descent train: there is no option '--epoch'; did you mean '--epochs'?
Run with --help for more information.
END
says 2 trian tumour.descent <<'END'
descent: there is no command 'trian'; did you mean 'train'?
Run with --help for more information.
END
says 2 train <<'END'
FILE is required
Run with --help for more information.
END
says 2 train tumour.descent --epochs -1 <<'END'
--epochs: Value -1 not in range 0 to 1000000000
Run with --help for more information.
END
says 2 eval "z" z <<'END'
descent eval: 'z' is not of the form name=number
END

# Files.
says 1 check nothing.descent <<'END'
nothing.descent: error: there is no such file
END
says 1 train . <<'END'
.: error: cannot read the file: it is a folder
END
says 1 train tumour.descent --save nowhere/weights <<'END'
nowhere/weights: error: cannot write the file: its folder does not exist
END
sed 's/breast_cancer.csv/breast_cancre.csv/' tumour.descent > missing.descent
says 1 train missing.descent <<'END'
missing.descent:11:22: error: there is no file breast_cancre.csv
  11 |     source     = csv("breast_cancre.csv")
     |                      ^^^^^^^^^^^^^^^^^^^
     = help: the name is relative to the folder of the model file
END

# The model.
sed 's/dense(16)/dense(16/' tumour.descent > syntax.descent
says 1 check syntax.descent <<'END'
syntax.descent:6:91: error: expected ',' or ')' in the arguments, found the end of the line
  6 |     output p = x |> standardize |> dense(16 |> relu |> dropout(0.1) |> dense(1) |> sigmoid
    |                                                                                           ^
END
sed 's/sigmoid$/sigmoyd/' tumour.descent > name.descent
says 1 check name.descent <<'END'
name.descent:6:85: error: unknown name 'sigmoyd'
  6 |     output p = x |> standardize |> dense(16) |> relu |> dropout(0.1) |> dense(1) |> sigmoyd
    |                                                                                     ^^^^^^^
    = help: did you mean 'sigmoid'?
END
sed 's/y: \[n, 1\]/y: [n]/' tumour.descent > shape.descent
says 1 check shape.descent <<'END'
shape.descent:7:12: error: in 'bce': the shapes [n] and [n, 1] do not fit together
  7 |     loss = bce(p, y) + 1e-4 * l2(weights)
    |            ^^^^^^^^^
    = help: write reshape(..., [n, 1])
END
says 1 eval "1 +" <<'END'
1:4: error: expected an expression, found the end of the expression
  1 | 1 +
    |    ^
END

# Data.
sed 's/"mean radius"/"mean radios"/' tumour.descent > column.descent
says 1 train column.descent <<'END'
column.descent:12:26: error: breast_cancer.csv has no column "mean radios"
  12 |     x          = columns("mean radios" .. "worst fractal dimension")
     |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
     = help: did you mean "mean radius"?
END
: > empty.csv
says 1 train tumour.descent --data empty.csv <<'END'
empty.csv: error: the file is empty: expected a header row and at least one row of data
END
head -1 breast_cancer.csv > header.csv
says 1 train tumour.descent --data header.csv <<'END'
header.csv: error: the file has a header row but no data: expected at least one row below it
END
sed '5s/^\([^,]*\),[^,]*,/\1,abc,/' breast_cancer.csv > text.csv
says 1 train tumour.descent --data text.csv <<'END'
text.csv:5:3: error: column "mean radius" holds the text "abc" where a number is expected
  5 | M,abc,20.38,77.58,386.1,0.1425,0.2839,0.2414,0.1052,0.2597,0.09744,0.4956,1.156,3.445,27.23,0.00911,...
    |   ^^^
    = help: write a number there, or compare the column with a text: column("mean radius") == "abc"
END
sed '7s/^\([^,]*\),[^,]*,/\1,nan,/' breast_cancer.csv > nan.csv
says 1 train tumour.descent --data nan.csv <<'END'
nan.csv:7:3: error: missing value: column "mean radius" holds "nan" in row 6
  7 | M,nan,15.7,82.57,477.1,0.1278,0.17,0.1578,0.08089,0.2087,0.07613,0.3345,0.8902,2.217,27.19,0.00751,0...
    |   ^^^
    = help: write the number there, or leave the row out: missing = skip in the data block does so
END
sed '9s/,[^,]*$//' breast_cancer.csv > short.csv
says 1 train tumour.descent --data short.csv <<'END'
short.csv:9:202: error: row 8 has 30 cells, but the header has 31
  = help: every row must have a cell for every column, which may be empty
END

# Weights.
"$DESCENT" train tumour.descent --epochs 1 --save weights > /dev/null 2>&1
sed 's/dense(16)/dense(17)/' tumour.descent > other.descent
says 1 predict other.descent --weights weights --data breast_cancer.csv <<'END'
weights: error: these weights are not of the model 'tumour': the tensor 'dense.0.w' has the shape [30, 16], expected [30, 17]
  = help: use the weights that were saved by training this model file
END
"$DESCENT" train tumour.descent --epochs 0 --save whole > /dev/null 2>&1  # no figures in its header: of one length everywhere
head -c 100 whole > cut
says 1 evaluate tumour.descent --weights cut --data breast_cancer.csv <<'END'
cut: error: this is no safetensors file: its header should have 1088 bytes, but 92 are there
  = help: weights are written by: descent train FILE --save weights.safetensors
END
says 1 train tumour.descent --resume nothing <<'END'
nothing: error: there is no such file
END
says 1 predict tumour.descent --weights weights --data breast_cancer.csv --output nowhere/p.csv <<'END'
nowhere/p.csv: error: cannot write the file: its folder does not exist
END

says 0 check tumour.descent < /dev/null

# Gradients of gradients that grow threefold with each order are no endless work.
cat > orders.descent <<'END'
model orders {
    input  x: [n, 3]
    target y: [n, 1]
    param w: [3, 3] = glorot_uniform
    let g = sum(tanh(x @ w))
    repeat 14 { g = sum(grad(g, x) * tanh(x @ w)) }
    output p = sigmoid(dense(x, 1))
    loss = bce(p, y) + g
}
END
says 1 check orders.descent <<'END'
error: gradients of gradients make 39163 operations of 61
  = help: each order of 'grad' multiplies them: take fewer of one expression
END

# Warnings: what is no mistake, but can fail a model.
cat > unstable.descent <<'END'
model unstable {
    input  x: [n, 3]
    target y: [n, 1]
    output p = max(min(dense(x, 1), 1), 0)
    loss = bce(p, y)
}
END
says 0 check unstable.descent <<'END'
unstable.descent:5:12: warning: the argument can be 0, and log(0) is -inf
  5 |     loss = bce(p, y)
    |            ^^^^^^^^^
    = note: computed as log(max(min(x @ dense.0.w + dense.0.b, 1), 0)), for 'loss'
    = help: write a probability as sigmoid(...) or softmax(...) of a score, or log(max(..., 1e-7))
unstable.descent:5:12: warning: the argument can be -1 or less, where log1p is -inf or NaN
  5 |     loss = bce(p, y)
    |            ^^^^^^^^^
    = note: computed as log1p(-max(min(x @ dense.0.w + dense.0.b, 1), 0)), for 'loss'
    = help: write a probability as sigmoid(...) or softmax(...) of a score, or log1p(max(..., -0.9999999))
END
cat > shared.descent <<'END'
fn score(x) = log(max(x, 0))
model shared {
    input x: [n, 3]
    output p = x |> dense(1) |> score
    output q = x |> dense(1) |> score
}
END
says 0 check shared.descent <<'END'
shared.descent:1:15: warning: the argument can be 0, and log(0) is -inf
  1 | fn score(x) = log(max(x, 0))
    |               ^^^^^^^^^^^^^^
    = note: computed as log(max(x @ dense.0.w + dense.0.b, 0)), for 'p'
    = help: write a probability as sigmoid(...) or softmax(...) of a score, or log(max(..., 1e-7))
END
exit $failed
