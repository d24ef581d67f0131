"""Prints one table of ratios at the end: in every group, how much faster each way is than the slowest.

What a benchmark says of itself in `extra_info`, all of it optional:

    way      its name in the table
    items    how many things one call does; the table shows the time of one
    bytes    how many bytes one thing reads; the table shows the rate
    limit    true if its rate is the most that the machine gives; the table shows the others' share of it
    floor    the least ratio to the slowest way of its group; below it, the run fails

Floors stand at a half or less of what was measured on an idle machine (docs/speed.md), so that neither another machine
nor work beside it closes them, but the loss of a compiled kernel does. Benchmarks marked `quick` are those of
`make regress`.
"""


def pytest_configure(config):
    config.addinivalue_line("markers", "quick: what `make regress` measures, in half a minute")


def pytest_sessionfinish(session, exitstatus):
    if exitstatus == 0 and any(map(_below_floor, _groups(session.config).values())):
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter, config):
    groups = _groups(config)
    limits = [_rate(benchmark) for group in groups.values() for benchmark in group if "limit" in benchmark.extra_info]
    if groups:
        terminalreporter.section("medians, and how many times the slowest takes")
    for name, group in groups.items():
        terminalreporter.write_line(name)
        for benchmark in sorted(group, key=_seconds, reverse=True):
            line = f"  {_way(benchmark):24}{1e6 * _seconds(benchmark):14,.1f} µs{_ratio(benchmark, group):8.1f} ×"
            if "bytes" in benchmark.extra_info:
                line += f"{_rate(benchmark) / 1e9:8.1f} GB/s"
                line += f", {_rate(benchmark) / max(limits):.0%} of the limit" if limits else ""
            terminalreporter.write_line(line)
    for name, group in groups.items():
        for benchmark in _below_floor(group):
            terminalreporter.write_line(
                f"below its floor: {name}: {_way(benchmark)} is {_ratio(benchmark, group):.1f} times as fast as the "
                f"slowest way, and must be {benchmark.extra_info['floor']:g} times",
                red=True,
            )


def _groups(config):
    groups = {}
    for benchmark in config._benchmarksession.benchmarks:
        if not benchmark.has_error:
            groups.setdefault(benchmark.group or benchmark.name, []).append(benchmark)
    return groups


def _below_floor(group):
    """Of the benchmarks of a group; one alone has nothing that it could be compared with."""
    if len(group) == 1:
        return []
    return [benchmark for benchmark in group if _ratio(benchmark, group) < benchmark.extra_info.get("floor", 0)]


def _ratio(benchmark, group):
    return max(map(_seconds, group)) / _seconds(benchmark)


def _way(benchmark):
    return benchmark.extra_info.get("way") or benchmark.param or benchmark.name


def _seconds(benchmark):
    return benchmark["median"] / benchmark.extra_info.get("items", 1)


def _rate(benchmark):
    return benchmark.extra_info["bytes"] / _seconds(benchmark)
