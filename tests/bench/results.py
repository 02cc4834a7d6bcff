"""From runs to results: ratios paired round by round, medians, tables, a file, and the comparison with an earlier one."""

import json
import statistics

FLOOR, POLICY_PEER = "relay", "haproxy-policy"
MEDIANS = ("us_per_request", "user_us_per_request", "requests_per_second", "p50_us", "p99_us", "busy", "rss_idle", "rss_loaded")


def ratios(rounds, contestant, against):
    """Of each round in which both ran: what the contestant cost by what the other cost."""
    return [one[contestant]["us_per_request"] / one[against]["us_per_request"] for one in rounds if contestant in one and against in one]


def spread(values):
    return [min(values), max(values)] if values else None


def summarise(variant, rounds):
    """The results of a variant: one for each contestant."""
    results = []
    for contestant in dict.fromkeys(name for one in rounds for name in one):
        runs = [one[contestant] for one in rounds if contestant in one]
        relay, policy = ratios(rounds, contestant, FLOOR), ratios(rounds, contestant, POLICY_PEER)
        result = {"variant": variant, "contestant": contestant, "rounds": len(runs)}
        result.update({name: statistics.median(run[name] for run in runs) for name in MEDIANS if name in runs[0]})
        result.update({
            "ratio_relay": statistics.median(relay) if relay else None, "spread": spread(relay),
            "ratio_haproxy_policy": statistics.median(policy) if policy else None, "spread_haproxy_policy": spread(policy),
            "spread_us_per_request": spread([run["us_per_request"] for run in runs]), "evidence": [run["evidence"] for run in runs]})
        results.append(result)
    return results


def write(path, facts, results):
    path.write_text(json.dumps({**facts, "runs": results}, indent=1) + "\n", encoding="utf-8")


# ---- tables ----

def number(value, form="{:.2f}"):
    return "–" if value is None else form.format(value)


def ranged(value, between):
    return "–" if value is None else f"{value:.2f} ({between[0]:.2f}–{between[1]:.2f})"


def lines_of(header, rows):
    widths = [max(len(str(row[column])) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        yield "| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |"


def evidence_text(evidence):
    """Sums over the rounds."""
    def total(name):
        found = [one[name] for one in evidence if one[name] is not None]
        return f"{sum(found)}" if found else "–"
    return [total(name) for name in ("upstream", "access_lines", "upstream_mutations", "audit")]


def table(what, results):
    """One variant for people."""
    header = ["contestant", "µs/request", "× relay", "× haproxy-policy", "requests/s", "p50 ms", "p99 ms", "RSS idle MB", "loaded", "core",
              "upstream saw", "access lines", "mutations", "audited"]
    rows = [[one["contestant"], number(one["us_per_request"]), ranged(one["ratio_relay"], one["spread"]),
             ranged(one["ratio_haproxy_policy"], one["spread_haproxy_policy"]), number(one["requests_per_second"], "{:.0f}"),
             number(one["p50_us"] / 1000), number(one["p99_us"] / 1000), number(one["rss_idle"] / 1e6, "{:.1f}"),
             number(one["rss_loaded"] / 1e6, "{:.1f}"), number(one["busy"], "{:.0%}"), *evidence_text(one["evidence"])]
            for one in sorted(results, key=lambda one: one["us_per_request"])]
    return "\n".join(["", f"{results[0]['variant']}: {what}; {results[0]['rounds']} rounds", *lines_of(header, rows)])


def idle_table(results):
    header = ["contestant", "bytes per idle connection", "RSS idle MB"]
    rows = [[one["contestant"], number(one["bytes_per_idle_connection"], "{:.0f}"), number(one["rss_idle"] / 1e6, "{:.1f}")]
            for one in sorted(results, key=lambda one: one["bytes_per_idle_connection"])]
    return "\n".join(["", "idle: memory of each of 1,000 idle connections", *lines_of(header, rows)])


# ---- goals ----

def goals(results):
    """What was aimed at and what was found, as far as it was measured; None where it was not."""
    def of(variant, contestant, name):
        return next((one.get(name) for one in results if (one["variant"], one["contestant"]) == (variant, contestant)), None)

    def by(variant, contestant, other, name):
        one, peer = of(variant, contestant, name), of(variant, other, name)
        return one / peer if one and peer else None

    return [
        ("reads, × relay", of("reads", "portcullis", "ratio_relay"), 1.3),
        ("reads, × relay, LTO", of("reads", "portcullis-lto", "ratio_relay"), 1.2),
        ("reads, × nginx without policy", by("reads", "portcullis", "nginx", "ratio_relay"), 1.0),
        ("reads, × haproxy without policy", by("reads", "portcullis", "haproxy", "ratio_relay"), 1.0),
        ("reads, × haproxy-policy", of("reads", "portcullis", "ratio_haproxy_policy"), 0.6),
        ("10 % mutations, × relay", of("mixed", "portcullis", "ratio_relay"), 1.5),
        ("p99 of reads, × haproxy-policy's", by("reads", "portcullis", "haproxy-policy", "p99_us"), 1.0),
        ("bytes of an idle connection", of("idle", "portcullis", "bytes_per_idle_connection"), 2500),
        ("MB of RSS, idle", (of("idle", "portcullis", "rss_idle") or 0) / 1e6 or None, 8),
    ]


def goal_table(results):
    rows = [[what, f"{aim:g}", f"{found:.0f}" if found > 100 else f"{found:.2f}", "yes" if found <= aim else "no"]
            for what, found, aim in goals(results) if found is not None]
    return "\n".join(["", "goals", *lines_of(["portcullis", "at most", "found", "reached"], rows)])


def compare(results, earlier):
    """New by old: below 1 is better now. Of the ratios to relay and peer, which stand any machine; and of the time."""
    before = {(one["variant"], one["contestant"]): one for one in earlier["runs"]}
    header = ["variant", "contestant", "µs/request", "× relay", "× haproxy-policy", "idle connection"]
    rows = []
    for one in results:
        old = before.get((one["variant"], one["contestant"]))
        if old is None:
            continue
        rows.append([one["variant"], one["contestant"]] + [
            number(one[name] / old[name] if one.get(name) and old.get(name) else None)
            for name in ("us_per_request", "ratio_relay", "ratio_haproxy_policy", "bytes_per_idle_connection")])
    return "\n".join(["", "now by then (below 1: better now)", *lines_of(header, rows)])
