"""The tables of the README's section on speed, from a bench.json: `readme_table.py build/bench.json`."""

import json
import pathlib
import sys

sys.dont_write_bytecode = True

import results  # noqa: E402

NAMES = {
    "relay": "bare relay of bytes", "nginx": "nginx, no policy", "haproxy": "HAProxy, no policy", "caddy": "Caddy, no policy",
    "apache": "Apache, no policy", "nginx-lua": "nginx with Lua, same policy", "haproxy-policy": "HAProxy, same policy",
    "portcullis": "**Portcullis**", "portcullis-lto": "**Portcullis**, `make lto`"}
OTHERS = {"large": "answers of 100 KB", "tls-front": "clients by TLS", "tls-upstream": "upstream by TLS",
          "new-connection": "a connection for each request", "workers-2": "two workers", "connections-1000": "1,000 connections"}


def row(cells):
    return "| " + " | ".join(cells) + " |"


def first_table(found):
    yield row(["One worker, 64 connections", "reads, × relay", "reads, × HAProxy with policy", "10 % changes, × relay",
               "p99 of reads, × HAProxy's with policy", "an idle connection, bytes", "idle, MB"])
    yield "|---" * 7 + "|"
    for name, words in NAMES.items():
        reads, mixed, idle = (found.get((variant, name)) for variant in ("reads", "mixed", "idle"))
        peer = found.get(("reads", "haproxy-policy"))
        if reads is None:
            continue
        yield row([words, results.ranged(reads["ratio_relay"], reads["spread"]),
                   results.ranged(reads["ratio_haproxy_policy"], reads["spread_haproxy_policy"]),
                   results.ranged(mixed["ratio_relay"], mixed["spread"]) if mixed else "–",
                   results.number(reads["p99_us"] / peer["p99_us"] if peer else None),
                   results.number(idle["bytes_per_idle_connection"], "{:.0f}") if idle else "–",
                   results.number(idle["rss_idle"] / 1e6, "{:.1f}") if idle else "–"])


def second_table(found):
    names = [name for name in ("portcullis", "haproxy-policy", "nginx-lua") if ("reads", name) in found]
    yield row(["Reads, × relay", *(NAMES[name] for name in names)])
    yield "|---" * (1 + len(names)) + "|"
    for variant, words in OTHERS.items():
        runs = [found.get((variant, name)) for name in names]
        if any(runs):
            yield row([words, *(results.ranged(one["ratio_relay"], one["spread"]) if one else "–" for one in runs)])


def main():
    document = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    found = {(one["variant"], one["contestant"]): one for one in document["runs"]}
    machine = document["machine"]
    print(f"{document['date'][:10]}, {machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, commit {document['commit']}\n")
    print("\n".join(first_table(found)), "\n".join(second_table(found)), sep="\n\n")


if __name__ == "__main__":
    main()
