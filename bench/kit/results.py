"""What was measured, in one form for the terminal, for JSON and for the chart."""
import statistics


def figure(value):
    """As many places as tell a figure from a bar that it just misses."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value >= 10 else f"{value:.3f}".rstrip("0").rstrip(".")


class Check:
    """A figure beside the bar it has to reach. `least` says whether it has to be at least, or at most, the bar."""

    def __init__(self, what, value, bar, least, unit=""):
        self.what, self.value, self.bar, self.least, self.unit = what, value, bar, least, unit

    @property
    def met(self):
        return self.value >= self.bar if self.least else self.value <= self.bar

    def line(self):
        sign = "≥" if self.least else "≤"
        return f"{self.what}: {figure(self.value)}{self.unit} (bar {sign} {figure(self.bar)}{self.unit}): {'met' if self.met else 'NOT MET'}"

    def json(self):
        return {"what": self.what, "value": round(self.value, 4), "bar": self.bar, "at": "least" if self.least else "most", "unit": self.unit, "met": self.met}


class Series:
    """Repeated measurements of one contestant: seconds and whatever else was counted, by name."""

    def __init__(self, name):
        self.name = name
        self.samples = []

    def add(self, **measured):
        self.samples.append(measured)

    def median(self, what="seconds"):
        values = [sample[what] for sample in self.samples if sample.get(what) is not None]
        return statistics.median(values) if values else None

    def peak(self, what):
        values = [sample[what] for sample in self.samples if sample.get(what)]
        return max(values) if values else None

    def json(self):
        return {"name": self.name, "median_seconds": self.median(), "samples": self.samples}


class Result:
    """One workload in one direction, with everybody who ran it."""

    def __init__(self, key, title, count=0, unit="changes"):
        self.key, self.title, self.count, self.unit = key, title, count, unit
        self.series = {}
        self.checks = []
        self.notes = []

    def contestant(self, name):
        return self.series.setdefault(name, Series(name))

    def median(self, name, what="seconds"):
        return self.series[name].median(what) if name in self.series else None

    def check(self, what, value, bar, least=True, unit=""):
        if value is not None:
            self.checks.append(Check(what, value, bar, least, unit))

    def check_memory(self, bar=150):
        peak = max((series.peak("peak") or 0 for name, series in self.series.items() if name.startswith("rowferry")), default=0)
        if peak:
            self.check("peak memory of rowferry", peak / 2**20, bar, least=False, unit=" MB")

    def json(self):
        return {"key": self.key, "title": self.title, "count": self.count, "unit": self.unit, "series": [each.json() for each in self.series.values()],
                "checks": [check.json() for check in self.checks], "notes": self.notes}

    def print(self):
        print(f"\n{self.key}  {self.title}" + (f" ({self.count:,} {self.unit})" if self.count else ""))
        for series in self.series.values():
            seconds = series.median()
            if seconds is None:
                continue
            line = f"  {series.name:<26} {seconds:8.3f} s"
            if self.count:
                line += f" {self.count / seconds:11,.0f}/s"
            for name, label in (("cpu", "CPU"), ("leader_cpu", "leader"), ("follower_cpu", "follower"), ("client_cpu", "client")):
                if series.median(name) is not None:
                    line += f"  {label} {series.median(name):.2f} s"
            for name, label in (("walsender_memory", "walsender"), ("peak", "peak")):
                if series.peak(name):
                    line += f"  {label} {series.peak(name) / 2**20:.0f} MB"
            if series.median("p50") is not None:
                print(f"  {series.name:<26} p50 {series.median('p50'):.2f} ms  p95 {series.median('p95'):.2f} ms  p99 {series.median('p99'):.2f} ms  "
                      f"longest {series.peak('longest'):.1f} ms  CPU {series.median('cpu'):.2f} s")
                continue
            rounds = " ".join(f"{sample['seconds']:.2f}" for sample in series.samples)
            print(f"{line}  [{rounds}]")
        for check in self.checks:
            print(f"  {check.line()}")
        for note in self.notes:
            print(f"  {note}", flush=True)
