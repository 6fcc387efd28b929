"""SVG by hand: bars with a mark where each has to reach, and the curve of cost per row. Readable on light and dark pages."""
from xml.sax.saxutils import escape

_STYLE = """<style>
  text { font: 13px system-ui, sans-serif; fill: #57606a } .title { font-weight: 600; font-size: 15px } .met { fill: #2da44e } .missed { fill: #cf6a00 }
  .bar { stroke: #57606a; stroke-width: 2 } .axis { stroke: #8c959f; stroke-width: 1 } .line { fill: none; stroke: #2f6fde; stroke-width: 2 } .dot { fill: #2f6fde }
  .second { stroke: #2da44e } .dot.second-dot { fill: #2da44e }
  @media (prefers-color-scheme: dark) { text { fill: #adbac7 } .bar { stroke: #adbac7 } }
</style>"""
_LABELS, _WIDTH, _ROW, _FIGURES = 210, 340, 28, 330


def _svg(width, height, title, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">\n'
            f'{_STYLE}\n<text class="title" x="10" y="22">{escape(title)}</text>\n' + "\n".join(parts) + "\n</svg>\n")


def bars(title, rows):
    """Rows of (label, value, bar, met, text); all on one scale, with a stroke at each row's bar."""
    most = max(max(value, bar) for _, value, bar, _, _ in rows) * 1.05
    parts = []
    for index, (label, value, bar, met, text) in enumerate(rows):
        top = 38 + index * _ROW
        length, mark = _WIDTH * value / most, _LABELS + _WIDTH * bar / most
        parts += [f'<text x="{_LABELS - 8}" y="{top + 15}" text-anchor="end">{escape(label)}</text>',
                  f'<rect class="{"met" if met else "missed"}" x="{_LABELS}" y="{top}" width="{length:.1f}" height="20" rx="2"/>',
                  f'<line class="bar" x1="{mark:.1f}" y1="{top - 3}" x2="{mark:.1f}" y2="{top + 23}"/>',
                  f'<text x="{_LABELS + max(length, mark - _LABELS) + 8:.1f}" y="{top + 15}">{escape(text)}</text>']
    return _svg(_LABELS + _WIDTH + _FIGURES, 48 + len(rows) * _ROW, title, parts)


def curve(title, lines):
    """Lines of (name, [(rows, microseconds per row)]): rows by powers of ten from left to right."""
    sizes = sorted({size for _, points in lines for size, _ in points})
    most = max(cost for _, points in lines for _, cost in points) * 1.15
    left, top, width, height = 60, 50, 560, 200
    across = {size: left + 40 + index * (width - 80) / max(1, len(sizes) - 1) for index, size in enumerate(sizes)}
    parts = [f'<line class="axis" x1="{left}" y1="{top + height}" x2="{left + width}" y2="{top + height}"/>']
    parts += [f'<text x="{x:.0f}" y="{top + height + 20}" text-anchor="middle">{size:,} rows</text>' for size, x in across.items()]
    for index, (name, points) in enumerate(lines):
        extra = ("", " second")[index % 2]
        places = [(across[size], top + height * (1 - cost / most), cost) for size, cost in points]
        parts.append(f'<polyline class="line{extra}" points="{" ".join(f"{x:.0f},{y:.1f}" for x, y, _ in places)}"/>')
        for x, y, cost in places:
            parts.append(f'<circle class="dot{extra and " second-dot"}" cx="{x:.0f}" cy="{y:.1f}" r="4"/>'
                         f'<text x="{x:.0f}" y="{y - 9:.1f}" text-anchor="middle">{cost:.1f} µs</text>')
        below = top + height + 42 + index * 18
        parts.append(f'<circle class="dot{extra and " second-dot"}" cx="{left + 10}" cy="{below - 4}" r="4"/>'
                     f'<text x="{left + 22}" y="{below}">{escape(name)}</text>')
    return _svg(left + width + 20, top + height + 50 + 18 * len(lines), title, parts)
