"""Medians over the rounds, and each broker as a ratio to ours of the same rounds."""

from statistics import median

OURS = "wharfmq"

#: Name, key in a result, how to show it, and whether more of it is better (None: no ratio).
COLUMNS = (
    ("rate/s", "rate", "{:,.0f}", True),
    ("CPU µs", "cpu_us_per_message", "{:.2f}", False),
    ("cores", "broker_cores", "{:.2f}", None),
    ("2nd half", "second_half", "{:.2f}", None),
    ("client µs", "client_cpu_us_per_message", "{:.1f}", None),
    ("client cores", "client_cores", "{:.2f}", None),
    ("busiest", "client_busiest", "{:.0%}", None),
    ("MiB", "rss_mib", "{:.1f}", False),
    ("p50 µs", "latency.p50", "{:,.0f}", False),
    ("p99 µs", "latency.p99", "{:,.0f}", None),
    ("p99.9 µs", "latency.p999", "{:,.0f}", None),
    ("ack p50 µs", "ack_latency.p50", "{:,.0f}", False),
    ("ack p99 µs", "ack_latency.p99", "{:,.0f}", None),
    ("bytes/conn", "bytes_per_connection", "{:,.0f}", False),
    ("start ms", "start_ms", "{:,.0f}", False),
)

FAULTS = ("lost", "doubled", "reordered", "foreign", "unconfirmed", "bad_acks", "closed")


def medians(results):
    """One result in which every number is the median of those given."""
    flat = [flatten(result) for result in results]
    keys = {key for result in flat for key in result}
    joined = {key: median(result[key] for result in flat if key in result) for key in keys}
    for fault in FAULTS:
        joined[fault] = max((result.get(fault, 0) for result in flat), default=0)
    return joined


def flatten(result):
    flat = {key: value for key, value in result.items() if isinstance(value, (int, float))}
    for kind in ("latency", "ack_latency"):
        for key, value in (result.get(f"{kind}_us") or {}).items():
            flat[f"{kind}.{key}"] = value
    if "rss_kib" in flat:
        flat["rss_mib"] = flat["rss_kib"] / 1024
    return flat


def show(scenario, by_broker):
    """The table of one scenario as text; `by_broker` maps a name to its results of all rounds."""
    rows = {name: medians(results) for name, results in by_broker.items() if results}
    if not rows:
        return f"\n{scenario.name}: no results"
    columns = [column for column in COLUMNS if any(column[1] in row for row in rows.values())]
    ours = rows.get(OURS)
    lines = [[""] + [column[0] for column in columns] + ["rounds", "faults"]]
    for name, row in rows.items():
        cells = [cell(row, column, ours if name != OURS else None) for column in columns]
        faults = ", ".join(f"{row[fault]:.0f} {fault}" for fault in FAULTS if row[fault])
        lines.append([name, *cells, str(len(by_broker[name])), faults or "none"])
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    text = [f"\n{scenario.name}: {scenario.what} (per {scenario.unit})" if scenario.timed
            else f"\n{scenario.name}: {scenario.what}"]
    text += ["  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in lines]
    return "\n".join(text + floor(scenario, rows, by_broker))


def cell(row, column, ours):
    """A number and, in parentheses, how many times better ours is: more of a rate, less of a cost."""
    _, key, form, more_is_better = column
    if key not in row:
        return "-"
    text = form.format(row[key])
    if ours is None or more_is_better is None or key not in ours or min(row[key], ours[key]) <= 0:
        return text
    ratio = ours[key] / row[key] if more_is_better else row[key] / ours[key]
    return f"{text} ({ratio:.2f}x)"


def floor(scenario, rows, by_broker):
    """What the disk allows when as many messages as the scenario says share one synced write and some time."""
    syncs, cpu = ([result[key] for results in by_broker.values() for result in results
                   for key in (f"fsync_before_{what}", f"fsync_after_{what}") if key in result]
                  for what in ("p50_us", "cpu_us"))
    if not scenario.synced or not syncs:
        return []
    line = f"fdatasync of 8 KiB p50 {median(syncs):,.0f} µs, {median(cpu):,.0f} µs of CPU"
    if scenario.floor:
        messages, micros = scenario.floor
        allowed = messages / (median(syncs) + micros) * 1e6
        count = "1 message" if messages == 1 else f"{messages} messages"
        line += f"; {count} per (that + {micros / 1000:g} ms): {allowed:,.0f}/s"
        if OURS in rows:
            line += f"; ours reaches {rows[OURS]['rate'] / allowed:.0%} of it"
    return [line]
