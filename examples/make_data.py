#!/usr/bin/env python3
"""Writes the CSV files of the examples from copies that Python packages carry.

    python3 -m venv venv && venv/bin/pip install scikit-learn statsmodels palmerpenguins
    venv/bin/python examples/make_data.py

Numbers are copied as they are written there. What is made here, and not copied, is said at each file's function. Source and
licence of each are in README.md. breast_cancer.csv has a script of its own, make_breast_cancer.py.
"""
import csv
import gzip
import importlib.util
import pathlib
import random

FOLDER = pathlib.Path(__file__).parent


def package(name):
    return pathlib.Path(importlib.util.find_spec(name).origin).parent


def read(path):
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else open(path, newline="")
    with opened as f:
        return list(csv.reader(f))


def write(name, header, rows):
    with open(FOLDER / name, "w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def pixels(prefix=""):
    return [f"{prefix}pixel {row} {column}" for row in range(8) for column in range(8)]


def digit_images():
    """Each row: 64 numbers from 0 to 16, row by row, and the digit."""
    return [[int(float(cell)) for cell in row] for row in read(package("sklearn") / "datasets/data/digits.csv.gz")]


# Which segments of a seven-segment display show a digit: a at the top, then clockwise b to f, and g in the middle.
SEGMENTS = ["abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg"]


def digits():
    """1,797 images of handwritten digits. The seven columns a to g are made here: 1 where a seven-segment display of that
    digit would be lit."""
    rows = [[row[64]] + [int(segment in SEGMENTS[row[64]]) for segment in "abcdefg"] + row[:64] for row in digit_images()]
    write("digits.csv", ["digit", *"abcdefg", *pixels()], rows)


def digit_pairs():
    """600 pairs of the images: no image is in two pairs, and half the pairs show the same digit. Drawn with a fixed seed."""
    draw = random.Random(1)
    images = digit_images()
    draw.shuffle(images)
    by_digit = {digit: [row for row in images if row[64] == digit] for digit in range(10)}
    rows = []
    for i in range(600):
        first = i % 10
        second = first if i // 10 % 2 == 0 else draw.choice([d for d in range(10) if d != first and by_digit[d]])
        a, b = by_digit[first].pop(), by_digit[second].pop()
        rows.append([int(first == second)] + a[:64] + b[:64])
    write("digit_pairs.csv", ["same", *pixels("first "), *pixels("second ")], rows)


def wine():
    """178 wines; the cultivar is first, and a letter."""
    names = ["alcohol", "malic acid", "ash", "alcalinity of ash", "magnesium", "total phenols", "flavanoids",
             "nonflavanoid phenols", "proanthocyanins", "color intensity", "hue", "od280/od315 of diluted wines", "proline"]
    rows = read(package("sklearn") / "datasets/data/wine_data.csv")[1:]
    write("wine.csv", ["cultivar", *names], [["ABC"[int(row[-1])]] + row[:-1] for row in rows])


def penguins():
    """The 333 of 344 penguins of which everything is known."""
    rows = read(package("palmerpenguins") / "data/penguins.csv")
    header = [name.replace("_mm", " mm").replace("_g", " g").replace("_", " ") for name in rows[0]]
    write("penguins.csv", header, [row for row in rows[1:] if "NA" not in row and "" not in row])


def sunspots():
    """Each row: the sunspot number of a year, and those of the twelve years before it, oldest first."""
    series = read(package("statsmodels") / "datasets/sunspots/sunspots.csv")[1:]
    years = [int(float(row[0].strip('"'))) for row in series]
    numbers = [row[1] for row in series]
    before = [f"{k} years before" if k > 1 else "1 year before" for k in range(12, 0, -1)]
    rows = [[years[i], numbers[i]] + numbers[i - 12 : i] for i in range(12, len(years))]
    write("sunspots.csv", ["year", "sunspots", *before], rows)


def longley():
    """Sixteen years; the number of the row is left out, and the header is spelt out."""
    rows = read(package("statsmodels") / "datasets/longley/longley.csv")[1:]
    header = ["employed", "GNP deflator", "GNP", "unemployed", "armed forces", "population", "year"]
    write("longley.csv", header, [row[1:] for row in rows])


if __name__ == "__main__":
    for make in (digits, digit_pairs, wine, penguins, sunspots, longley):
        make()
