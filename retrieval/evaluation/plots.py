"""Plots as inline SVG whose colours follow the page's CSS variables, so one picture serves light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

# Each colour written by matplotlib becomes `var(--name, colour)`: a page may redefine it, a bare SVG still shows.
SERIES = ("#3d6fd1", "#c2571a", "#1f8a70", "#8a4fbf", "#b8860b", "#5c6770")
_INK, _LINE, _MUTED = "#1b2129", "#d9dfe5", "#5b6672"
_VARIABLES = {_INK: "ink", _LINE: "line", _MUTED: "muted"} | {c: f"series-{n}" for n, c in enumerate(SERIES, start=1)}
_MARKERS = ("o", "s", "^", "D", "v", "P")
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)))
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "retrieval",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.7,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
}


def _render(name: str, draw: Callable[[Axes], None], width: float = 7.2, height: float = 3.6) -> str:
    """Draw on fresh axes and return one `<svg>`; ``name`` keeps its ids apart from other pictures of the page."""
    with mpl.rc_context(rc=_STYLE):  # type: ignore[arg-type]  # its stub lists keys as literals
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([^;\"]*?px) [^;\"]*", r"font: \1 var(--font, sans-serif)", svg)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", re.sub(r' height="[\d.]+pt"', "", svg, count=1), count=1)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable}, {colour})")
    return svg.strip()


def recall_curves(curves: Mapping[str, NDArray[np.float64]]) -> str:
    """Recall at every k, one line a run.

    Args:
        curves: By label, (K,) mean recall at ranks 1 to K; the lengths may differ.
    """

    def draw(axes: Axes) -> None:
        for number, (label, curve) in enumerate(curves.items()):
            ranks = np.arange(1, len(curve) + 1)
            marks = [rank - 1 for rank in (1, 2, 5, 10, 20, 50, 100) if rank <= len(curve)]
            axes.plot(
                ranks,
                curve,
                label=label,
                color=SERIES[number % len(SERIES)],
                linestyle=_DASHES[number % len(_DASHES)],
                marker=_MARKERS[number % len(_MARKERS)],
                markevery=marks,
                markersize=4.5,
                linewidth=1.8,
            )
        axes.set_xscale("log")
        axes.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
        axes.set_xlim(0.95, max(2, *(len(curve) for curve in curves.values())) * 1.05)
        axes.set_xlabel("k (số điều luật được trả về)")
        axes.set_ylabel("Recall@k")
        axes.legend(loc="lower right")

    return _render("recall", draw)


def score_histogram(relevant: NDArray[np.floating], others: NDArray[np.floating]) -> str:
    """Scores of relevant hits and of the rest, each as a share of its own kind.

    Args:
        relevant: (m,) scores; may be empty.
        others: (n,) scores; may be empty.
    """

    def draw(axes: Axes) -> None:
        both = np.concatenate([relevant, others]).astype(np.float64)
        low, high = (float(both.min()), float(both.max())) if len(both) else (0.0, 1.0)
        edges = np.linspace(low, max(high, low + 1e-6), 41).tolist()
        kinds = ((others, f"Điều luật khác ({len(others):,})", 5), (relevant, f"Điều luật đúng ({len(relevant):,})", 0))
        for scores, label, colour in kinds:
            shares = np.histogram(scores, edges)[0] / max(1, len(scores))
            axes.stairs(shares, edges, fill=True, label=label, color=SERIES[colour], alpha=0.6)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_xlabel("Điểm")
        axes.set_ylabel("Tỷ lệ trong mỗi loại")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=2)

    return _render("scores", draw, width=5.2)


def value_histogram(values: Sequence[float], label: str, bins: int = 40) -> str:
    """How often plain numbers occur.

    Args:
        values: Of any kind; of none there is no picture, and "" is given.
        label: What they are.
        bins: Columns.
    """

    def draw(axes: Axes) -> None:
        counts, edges = np.histogram(np.asarray(values, np.float64), bins)
        axes.stairs(counts, edges.tolist(), fill=True, color=SERIES[0])
        axes.set_xlabel(label)
        axes.set_ylabel("count")

    return _render("values", draw, width=5.2) if len(values) else ""


def loss_curve(losses: Mapping[str, Sequence[float]], x_label: str = "Bước huấn luyện") -> str:
    """Training curves, a faint line a series with its running mean over it.

    Args:
        losses: By label, one value a step.
        x_label: Name of the steps.
    """

    def draw(axes: Axes) -> None:
        for number, (label, values) in enumerate(losses.items()):
            colour = SERIES[number % len(SERIES)]
            steps = np.arange(1, len(values) + 1)
            window = max(1, len(values) // 30)
            smooth = np.convolve(values, np.ones(window) / window, mode="valid") if len(values) else np.array([])
            axes.plot(steps, values, color=colour, alpha=0.3 if window > 1 else 1.0, linewidth=1.0)
            axes.plot(steps[window - 1 :], smooth, color=colour, linewidth=1.8, label=label)
        axes.set_xlabel(x_label)
        axes.set_ylabel("Giá trị hàm mất mát")
        axes.set_ylim(bottom=0.0)
        axes.legend(loc="upper right")

    return _render("loss", draw)


def length_histogram(lengths: Mapping[str, Sequence[int]], unit: str = "âm tiết") -> str:
    """Lengths of texts, cut at the longest kind's 99th percentile so that one monster does not flatten the rest.

    Args:
        lengths: By label, one length a text.
        unit: What is counted.
    """

    def draw(axes: Axes) -> None:
        present = {label: np.asarray(values, np.float64) for label, values in lengths.items() if len(values)}
        longest = max((float(np.percentile(values, 99)) for values in present.values()), default=1.0)
        edges = np.linspace(0.0, max(longest, 1.0), 41).tolist()
        for number, (label, values) in enumerate(present.items()):
            named = f"{label} ({len(values):,})"
            counts = np.histogram(np.minimum(values, edges[-1]), edges)[0]
            axes.stairs(counts, edges, fill=True, label=named, color=SERIES[number % len(SERIES)], alpha=0.6)
        axes.set_xlabel(f"Độ dài ({unit}; cột cuối gồm cả văn bản dài hơn)")
        axes.set_ylabel("Số văn bản")
        axes.legend(loc="upper right")

    return _render("lengths", draw)
