"""Prints one table of ratios at the end: in every group, how much faster each way is than the slowest.

What a benchmark says of itself in `extra_info`, all of it optional:

    way      its name in the table
    items    how many things one call does; the table shows the time of one
    bytes    how many bytes one thing reads; the table shows the rate
    limit    true if its rate is the most that the machine gives; the table shows the others' share of it
"""


def pytest_terminal_summary(terminalreporter, config):
    groups = {}
    for benchmark in config._benchmarksession.benchmarks:
        groups.setdefault(benchmark.group or benchmark.name, []).append(benchmark)
    limits = [_rate(benchmark) for group in groups.values() for benchmark in group if "limit" in benchmark.extra_info]
    if groups:
        terminalreporter.section("medians, and how many times the slowest takes")
    for name, group in groups.items():
        terminalreporter.write_line(name)
        slowest = max(map(_seconds, group))
        for benchmark in sorted(group, key=_seconds, reverse=True):
            way = benchmark.extra_info.get("way") or benchmark.param or benchmark.name
            line = f"  {way:24}{1e6 * _seconds(benchmark):14,.1f} µs{slowest / _seconds(benchmark):8.1f} ×"
            if "bytes" in benchmark.extra_info:
                line += f"{_rate(benchmark) / 1e9:8.1f} GB/s"
                line += f", {_rate(benchmark) / max(limits):.0%} of the limit" if limits else ""
            terminalreporter.write_line(line)


def _seconds(benchmark):
    return benchmark["median"] / benchmark.extra_info.get("items", 1)


def _rate(benchmark):
    return benchmark.extra_info["bytes"] / _seconds(benchmark)
