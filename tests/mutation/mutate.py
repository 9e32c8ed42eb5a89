#!/usr/bin/env python3
"""Changes rewrite rules and derivatives one at a time and checks that the tests catch every change.

    tests/mutation/mutate.py [--list] [--only N,N,...] [--every K]

A mutant is one edited line of a rule table (a sign flipped, operands swapped, a condition dropped, a constant changed) or
of the derivative column of ir/ops.def. Its file is compiled outside of the source tree and linked with the objects of
the build in build/ into a test_passes of its own, which must fail. Derivatives are compiled as a copy of ir/op.cpp that
sees the changed ir/ops.def first. Exits with 1 if a mutant survives.
"""
import argparse
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
TESTS = ("every_rule*,exact_rules*,rules_do*,bounded_exp*,what_has*,the_others*,a_factor*,only_powers*,derivatives_of_a_rec*,derivatives_of_conv*,comparisons_of*,every_elementwise*,structural_deriv*,bce_of*,second_deriv*,gradients_are*,one_expr*,"
         "forward_mode*,derivatives_at*,oracle_deriv*")


# Mutants that mean the same: (what is changed, a part of the row, why no test can tell).
EQUIVALENT = [("constant changed", "log(select(a == 0, 1, a))", "0 times the logarithm of any positive number is 0"),
              ("constant changed", "log1p(select(1 + a == 0, 0, a))", "the same"),
              ("constant changed", "max(others, 0.5)", "the sum is at least 1, where it is chosen: no smaller bound is met")]


def rule_rows(text):
    """(start, end) of every row {pattern, replacement, effect, "...", conditions}."""
    for match in re.finditer(r"^      \{(?=[^{}\n])", text, re.M):
        depth, at = 0, match.end() - 1
        while True:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
            if depth == 0:
                break
        yield match.end() - 1, at


def split_top(row):
    """The parts of a row between commas that are not inside of brackets or quotes."""
    parts, depth, quoted, start = [], 0, False, 1
    for i, c in enumerate(row[1:-1], 1):
        if c == '"' and row[i - 1] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += c in "([{"
            depth -= c in ")]}"
            if c == "," and depth == 0:
                parts.append(row[start:i])
                start = i + 1
    return parts + [row[start:-1]]


def mutate_rule(row):
    """(what, new row) for each way of spoiling a row."""
    parts = split_top(row)
    pattern, replacement, rest = parts[0], parts[1], parts[2:]
    make = lambda p, r, more: "{" + ",".join([p, r] + more) + "}"
    conditions = [i for i, part in enumerate(rest) if "Property::" in part]
    if conditions:
        yield "condition dropped", make(pattern, replacement, [p for i, p in enumerate(rest) if i not in conditions])
    body = replacement.strip()
    yield "sign flipped", make(pattern, f" -({body})" if not re.fullmatch(r"-?[\d.]+|truth|falsehood", body) else
                               {"truth": " falsehood", "falsehood": " truth"}.get(body, f" {body} + 1.0"), rest)
    swapped = re.sub(r"(\w+) ([-/]) (\w+)", r"\3 \2 \1", body, count=1)
    if swapped != body:
        yield "operands swapped", make(pattern, " " + swapped, rest)
    other = re.sub(r"(?<![\w.])(0\.5|2|1|3)(?![\w.])", lambda m: {"0.5": "0.25", "2": "3", "1": "2", "3": "4"}[m[1]], body, count=1)
    if other != body:
        yield "constant changed", make(pattern, " " + other, rest)


def mutate_derivative(column):
    inner = column[len("DERIVATIVE("):-1]
    if inner.strip().startswith("none") and "g" not in inner.replace("none", ""):
        return
    for what, old, new in (("sign flipped", "g", "(-g)"), ("product for a quotient", " / ", " * "),
                           ("quotient for a product", "g * ", "g / "), ("sum for a difference", " - ", " + "),
                           ("cosine for a sine", "cos(", "sin("), ("choice turned around", "y > b", "y < b"),
                           ("choice turned around", "y < b", "y > b"), ("function left out", "sign(a)", "a"),
                           ("constant changed", "2 * y", "3 * y")):
        word = r"(?<!\w)(?<!like\()" if old[0].isalpha() else ""  # not the shape of a 0, like(g, 0)
        changed = re.sub(word + re.escape(old), new, inner, count=1)
        if changed != inner:
            yield what, f"DERIVATIVE({changed})"


def mutants():
    for name in ("passes/rules.cpp", "passes/rules_functions.cpp"):
        text = (ROOT / name).read_text()
        for start, end in rule_rows(text):
            for what, row in mutate_rule(text[start:end]):
                if any(what == kind and part in text[start:end] for kind, part, _ in EQUIVALENT):
                    continue
                yield name, f"{what}: {' '.join(text[start:end].split())[:90]}", text[:start] + row + text[end:]
    name = "ir/ops.def"
    text = (ROOT / name).read_text()
    for match in re.finditer(r"DERIVATIVE\(", text):
        at, depth = match.end(), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        column = text[match.start():at]
        if column == "DERIVATIVE(...)":
            continue
        op = re.findall(r"ELEMENTWISE\((\w+)", text[:match.start()])
        for what, changed in mutate_derivative(column):
            yield name, f"{what}: {op[-1] if op else '?'} {column}", text[:match.start()] + changed + text[at:]


def run(command, **more):
    return subprocess.run(command, cwd=BUILD, capture_output=True, text=True, **more)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true", help="only name the mutants")
    parser.add_argument("--only", help="numbers of mutants, with commas")
    parser.add_argument("--every", type=int, default=1, help="every Kth mutant")
    arguments = parser.parse_args()
    chosen = list(enumerate(mutants()))
    if arguments.only:
        wanted = {int(n) for n in arguments.only.split(",")}
        chosen = [m for m in chosen if m[0] in wanted]
    chosen = chosen[::arguments.every]
    if arguments.list:
        for number, (name, what, _) in chosen:
            print(f"{number:4} {name}: {what}")
        return 0
    commands = {entry["file"]: entry for entry in json.loads((BUILD / "compile_commands.json").read_text())}
    link = run(["ninja", "-t", "commands", "-s", "test_passes"]).stdout.strip().splitlines()[-1]
    survivors = invalid = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for number, (name, what, text) in chosen:
            unit = "ir/op.cpp" if name == "ir/ops.def" else name
            source = folder / unit
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
            if unit != name:
                shutil.copy(ROOT / unit, source)
            words = shlex.split(commands[str(ROOT / unit)]["command"])
            words = [w for w in words if not w.endswith("ccache")]
            words[words.index("-c") + 1] = str(source)
            words[words.index("-o") + 1] = str(folder / "mutant.o")
            words = [w if w != "-O3" else "-O0" for w in words]  # most of the time is the compiler's
            words.insert(1, f"-I{folder}")
            compiled = run(words)
            if compiled.returncode != 0:
                invalid += 1
                print(f"{number:4} does not compile   {name}: {what}")
                continue
            # Before the library, the mutant's symbols are the ones that are used.
            binary = folder / "test"
            command = re.sub(r"-o \S+", f"{folder}/mutant.o -o {binary} -Wl,--allow-multiple-definition", link, count=1)
            linked = run(command, shell=True)
            if linked.returncode != 0:
                print(linked.stderr)
                return 2
            try:
                survived = run([str(binary), TESTS, "--abort"], timeout=120).returncode == 0
            except subprocess.TimeoutExpired:
                survived = False
            survivors += survived
            print(f"{number:4} {'SURVIVED' if survived else 'caught  '}           {name}: {what}", flush=True)
            (folder / name).unlink()
    print(f"{len(chosen)} mutants, {invalid} do not compile, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
