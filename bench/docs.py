"""docs/performance.md: the table between its two markers, and the charts, from docs/performance/results.json. A run of some parts only
replaces the results of these parts."""
import json
import os

from kit import chart
from kit.failure import Failure
from kit.results import figure

BEGIN, END = "<!-- bench/run writes from here", "<!-- to here -->"


def write(project, about, results):
    folder, page = os.path.join(project, "docs", "performance"), os.path.join(project, "docs", "performance.md")
    with open(page, encoding="utf-8") as file:
        text = file.read()
    if BEGIN not in text or END not in text:
        raise Failure(f"{page} has no place for the results: two lines, beginning with '{BEGIN}' and '{END}'")
    os.makedirs(folder, exist_ok=True)
    kept = merge(os.path.join(folder, "results.json"), about, results)
    charts = draw(folder, kept)
    head, rest = text.split(BEGIN, 1)
    first_line, tail = rest.split("\n", 1)[0], rest.split(END, 1)[1]
    with open(page, "w", encoding="utf-8") as file:
        file.write(head + BEGIN + first_line + "\n" + table(kept) + "".join(f"\n![{title}](performance/{name})\n" for name, title in charts) + END + tail)


def merge(path, about, results):
    """Old results that were not measured again stay, each with the circumstances of its own run."""
    old = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            old = json.load(file)["results"]
    new = [{**result.json(), "about": about} for result in results]
    measured = {result["key"] for result in new}
    if measured & {"W1", "W2", "W3", "W4", "W5"}:
        measured.add("W1–W5")  # a mean of several runs is none
    kept = sorted([result for result in old if result["key"] not in measured] + new, key=lambda result: order(result["key"]))
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"results": kept}, file, indent=1, ensure_ascii=False)
        file.write("\n")
    return kept


def order(key):
    first = next(index for index, start in enumerate(("W", "latency", "snapshot", "overhead", "statements", "curve")) if key.startswith(start))
    return first, key.count("-"), key.split("-")[1:], key.replace("W1–W5", "W9")


def table(results):
    lines = ["", "| what | medians | figure and bar | CPU for rowferry: leader, follower, itself | peak of rowferry | load |", "|---|---|---|---|---|---|"]
    for result in results:
        count = f", {result['count']:,} {result['unit']}" if result["count"] else ""
        ours = next((series for series in result["series"] if series["name"] == "rowferry"), None)
        figures = [verdict(check) for check in result["checks"] if "memory" not in check["what"]] + [note for note in result["notes"] if not note.startswith("load of")]
        cells = (f"**{result['key']}** {result['title']}{count}", "<br>".join(contestant(series) for series in result["series"]), "<br>".join(figures), cpu(ours), peak(result), load(result))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    for about, keys in circumstances(results):
        lines.append(f"\n{', '.join(keys)}: {about['begun']}, {about['processor']}, {about['cores']} cores; {about['postgresql']}, SQLite {about['sqlite']}; {about['rowferry']}; scale {about['scale']:g}, "
                     f"medians of {about['rounds']} rounds.")
    return "\n".join(lines) + "\n"


def circumstances(results):
    runs = {}
    for result in results:
        runs.setdefault(result["about"]["begun"], (result["about"], []))[1].append(result["key"])
    return runs.values()


def contestant(series):
    sample = series["samples"][0]
    if "p50" in sample:
        middle = {name: sorted(each[name] for each in series["samples"])[len(series["samples"]) // 2] for name in ("p50", "p95", "p99")}
        return f"{series['name']}: " + ", ".join(f"{name} {value:.2f} ms" for name, value in middle.items())
    return f"{series['name']}: {series['median_seconds']:.2f} s"


def verdict(check):
    sign = "≥" if check["at"] == "least" else "≤"
    text = f"{check['what']} {figure(check['value'])}{check['unit']} ({sign} {figure(check['bar'])}{check['unit']})"
    return text + (": met" if check["met"] else ": **not met**")


def cpu(series):
    if series is None or "leader_cpu" not in series["samples"][0]:
        return ""
    middle = [sorted(sample.get(name) or 0 for sample in series["samples"])[len(series["samples"]) // 2] for name in ("leader_cpu", "follower_cpu", "client_cpu")]
    return ", ".join(f"{value:.2f} s" for value in middle)


def peak(result):
    ours = next((f"{check['value']:.0f} MB" for check in result["checks"] if "memory" in check["what"]), "")
    walsender = max((sample.get("walsender_memory") or 0 for series in result["series"] for sample in series["samples"] if series["name"] == "rowferry"), default=0)
    return ours + (f", walsender {walsender / 2**20:.0f} MB" if walsender else "")


def load(result):
    return next((note.rsplit(" ", 1)[1] for note in result["notes"] if note.startswith("load of")), "")


def draw(folder, results):
    charts = []
    ratios = [(result["key"], check) for result in results for check in result["checks"] if check["what"] == "built-in / rowferry"]
    if ratios:
        charts.append(("speed.svg", "Times as fast as PostgreSQL's own replication",
                       chart.bars("Times as fast as PostgreSQL's own replication (the stroke is the bar)",
                                  [(key, check["value"], check["bar"], check["met"], f"{check['value']:.2f} ×") for key, check in ratios])))
    others = [(result["key"], check) for result in results for check in result["checks"] if check["what"] != "built-in / rowferry" and "memory" not in check["what"]]
    if others:
        charts.append(("bars.svg", "Everything else, beside its bar", chart.bars(
            "Everything else, beside its bar: beyond the stroke is better",
            [(key, min(reach(check), 3), 1, check["met"], f"{check['what']}: {figure(check['value'])}{check['unit']}") for key, check in others])))
    lines = [(result["title"], [(sample["rows"], series_cost(series)) for series in result["series"] for sample in series["samples"][:1]])
             for result in results if result["key"].startswith("curve")]
    if lines:
        charts.append(("curve.svg", "CPU per row on all sides", chart.curve("CPU per row on all sides together, one transaction of inserts", lines)))
    for name, _, svg in charts:
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(svg)
    return [(name, title) for name, title, _ in charts]


def reach(check):
    """Above 1 when the bar is met, whichever way round it is."""
    if check["at"] == "least":
        return check["value"] / check["bar"]
    return check["bar"] / max(check["value"], 1e-9)


def series_cost(series):
    costs = sorted(sample["cpu"] / sample["rows"] * 1e6 for sample in series["samples"])
    return costs[len(costs) // 2]
