#!/usr/bin/env python3
"""Writes breast_cancer.csv from the copy that the scikit-learn package carries.

    pip download --no-deps scikit-learn && unzip scikit_learn-*.whl sklearn/datasets/data/breast_cancer.csv
    python3 make_breast_cancer.py sklearn/datasets/data/breast_cancer.csv

Without an argument the file is taken from an installed scikit-learn. Every number is copied as it is written there; only the
header is new, and the diagnosis is written first and as a letter: M for malignant (0 there), B for benign (1 there).
"""
import csv
import pathlib
import sys

QUANTITIES = ["radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points",
              "symmetry", "fractal dimension"]
DIAGNOSIS = {"0": "M", "1": "B"}


def main():
    if len(sys.argv) > 1:
        source = pathlib.Path(sys.argv[1])
    else:
        import sklearn.datasets
        source = pathlib.Path(sklearn.datasets.__file__).parent / "data" / "breast_cancer.csv"
    names = [f"mean {q}" for q in QUANTITIES] + [f"{q} error" for q in QUANTITIES] + [f"worst {q}" for q in QUANTITIES]
    with open(source, newline="") as f:
        rows = list(csv.reader(f))[1:]
    with open(pathlib.Path(__file__).parent / "breast_cancer.csv", "w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(["diagnosis"] + names)
        for row in rows:
            writer.writerow([DIAGNOSIS[row[-1]]] + row[:-1])


if __name__ == "__main__":
    main()
