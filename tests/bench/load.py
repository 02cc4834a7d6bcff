"""Runs wrk, pinned to the load's core."""

import json
import os
import pathlib
import subprocess

LUA = pathlib.Path(__file__).with_name("load.lua")


def write_requests(path, requests):
    """For load.lua: a Lua table. JSON's escapes of ASCII are Lua's."""
    path.write_text("return {\n" + ",\n".join(json.dumps(request) for request in requests) + "\n}\n", encoding="ascii")


def run(port, requests, connections, seconds, core, tls=False):
    """Requests done, seconds, p50_us, p99_us, refused, broken."""
    words = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s",
             "-s", str(LUA), f"{'https' if tls else 'http'}://127.0.0.1:{port}/"]
    ran = subprocess.run(words, env={**os.environ, "BENCH_REQUESTS": str(requests)}, capture_output=True, text=True, check=False,
                         timeout=seconds + 60)
    for line in ran.stdout.splitlines():
        if line.startswith("BENCH "):
            return json.loads(line[6:])
    raise RuntimeError(f"wrk said nothing of use:\n{ran.stdout}\n{ran.stderr}")
