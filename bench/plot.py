"""Draws what `./dev bench --json FILE` measured: for each model the fastest step by hand and Descent's, as times of the limit.

    ./dev bench --json build/bench.json && python3 bench/plot.py build/bench.json docs/performance.svg

The limit is the time that the contractions' multiply-adds take at the measured peak.
"""
import json
import sys
from xml.sax.saxutils import escape

WIDTH, BAR, GAP, LEFT, TOP = 760, 14, 18, 90, 44
COLOURS = {"Descent": "#2563eb", "by hand": "#94a3b8"}


def bars(model, peak):
    """Name, microseconds and multiple of the limit of Descent and of the fastest rival."""
    limit = model["flops"] / (peak * 1e3)
    times = {name: t["min_us"] for name, t in model["times"].items() if t["min_us"] is not None}
    rival = min((name for name in times if name != "Descent"), key=times.get)
    return [(name, times[name], times[name] / limit) for name in ("Descent", rival)]


def draw(result):
    models = result["models"]
    rows = [(m["model"], bars(m, result["peak_gflops"])) for m in models]
    most = min(10, max(multiple for _, pair in rows for _, _, multiple in pair))
    scale = (WIDTH - LEFT - 190) / most
    height = TOP + len(rows) * (2 * BAR + GAP) + 20
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="8" y="18" font-size="13">One training step, one thread: time as a multiple of the limit at FMA peak'
        f" ({escape(result['processor'])}, {result['peak_gflops']:.0f} GFLOP/s)</text>",
    ]
    y = TOP
    for model, pair in rows:
        out.append(f'<text x="8" y="{y + BAR + 4}">{escape(model)}</text>')
        for name, microseconds, multiple in pair:
            colour = COLOURS["Descent" if name == "Descent" else "by hand"]
            length = scale * min(multiple, most)
            out.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>')
            label = f"{name} {microseconds:,.2f} µs, {multiple:.2f}"
            out.append(f'<text x="{LEFT + length + 6:.1f}" y="{y + BAR - 3}">{escape(label)}</text>')
            y += BAR
        y += GAP
    bottom = y - GAP + 6
    out.append(f'<line x1="{LEFT + scale:.1f}" y1="{TOP - 8}" x2="{LEFT + scale:.1f}" y2="{bottom}" stroke="#dc2626"/>')
    out.append(f'<text x="{LEFT + scale + 4:.1f}" y="{TOP - 10}" fill="#dc2626">limit</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        result = json.load(file)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(draw(result))


if __name__ == "__main__":
    main()
