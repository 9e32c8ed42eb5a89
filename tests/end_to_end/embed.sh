#!/usr/bin/env bash
# The embedding example learns exclusive-or.
set -euo pipefail
"$(dirname "$DESCENT")/embed_xor" | tee /dev/stderr | grep -q '1 xor 1 = 0.0'
