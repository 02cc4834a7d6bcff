#!/usr/bin/python3
"""Is the property test worth something? Each mutant is the gate with one line of its judgement changed, compiled and linked as a program of its own.
The property test must see each: one that lives is a part of the judgement that made-up requests do not reach, or that the naive evaluator does not
look at.

    mutants.py [--sample N] [--only WORD] [--cases 20000] [--seed 1] [--list]
"""

import argparse
import os
import pathlib
import random
import shlex
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import agree  # noqa: E402
from mutations import MUTATIONS, Mutation  # noqa: E402

BUILD = agree.BINARY.parent


class Stale(Exception):
    """The line to be changed is not there any more, or stands twice: bring mutations.py up to date."""


def mutated(mutation):
    """The file with its line changed, or with several of them, where one alone changes nothing."""
    source = (agree.ROOT / mutation.file).read_text()
    pairs = [(mutation.line, mutation.instead)] if isinstance(mutation.line, str) else zip(mutation.line, mutation.instead, strict=True)
    for line, instead in pairs:
        if mutation.name != "nothing" and source.count(line) != 1:
            raise Stale(f"{mutation.file}: {source.count(line)} times: {line}")
        source = source.replace(line, instead)
    return source


def build(mutation, number):
    """Links the changed file's object before the archives, whose own object of that name is then left out."""
    directory = BUILD / "mutants" / str(number)
    directory.mkdir(parents=True, exist_ok=True)
    source, binary = directory / pathlib.Path(mutation.file).name, directory / "portcullis"
    source.write_text(mutated(mutation))
    flags = make("print-flags")
    compiler = shlex.split(os.environ.get("CC") or "gcc")
    # A mutant may leave something unused.
    call([*compiler, *flags, "-Wno-error", "-w", "-c", str(source), "-o", str(directory / "mutant.o")])
    call([*compiler, *flags, str(BUILD / "objects/proxy/main.o"), str(directory / "mutant.o"), str(BUILD / "libproxy.a"), str(BUILD / "libpolicies.a"),
          *make("print-libraries"), "-o", str(binary)])
    return binary


FLAGS = {}


def make(target):
    if target not in FLAGS:
        FLAGS[target] = shlex.split(call(["make", "-s", "--no-print-directory", f"BUILD={os.path.relpath(BUILD, agree.ROOT)}", target]))
    return FLAGS[target]


def call(command):
    done = subprocess.run(command, cwd=agree.ROOT, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(command)}\n{done.stderr[-3000:]}")
    return done.stdout


def catch(binary, seed, cases):
    """Among how many cases it was seen; None when it lived."""
    tried = 0
    for share in (0.05, 0.2, 0.75):
        try:
            tally, differences = agree.run(binary, f"{seed}.{tried}", int(cases * share), most=1)
        except agree.Failure:
            return tried + 1
        tried += tally["cases"]
        if differences:
            return tried
    return None


def run(mutations, seed, cases):
    """The names of those that lived; says of each what became of it. Built the same way without a change, the gate must not be told from itself."""
    lived = []
    if catch(build(Mutation("nothing", "policies/version.c", "struct version", "struct version"), "none"), seed, cases // 4) is not None:
        raise SystemExit("the gate differs from the naive evaluator before anything is changed: run agree.py")
    for number, mutation in mutations:
        began = time.monotonic()
        seen = catch(build(mutation, number), seed, cases)
        print(f"{'lives' if seen is None else 'seen '}  {mutation.file}: {mutation.name} ({seen or cases} cases, {time.monotonic() - began:.1f} s)", flush=True)
        if seen is None:
            lived.append(mutation.name)
    return lived


def chosen(sample=None, seed=1, only=None):
    mutations = [(number, mutation) for number, mutation in enumerate(MUTATIONS) if not only or only in f"{mutation.file} {mutation.name}"]
    return random.Random(seed).sample(mutations, sample) if sample else mutations


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="so many of them only")
    parser.add_argument("--only", help="those with this word in file or name")
    parser.add_argument("--cases", type=int, default=20000, help="how many requests a mutant must be seen among")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--list", action="store_true", help="only checks that each line to be changed is there")
    options = parser.parse_args()
    mutations = chosen(options.sample, options.seed, options.only)
    for _, mutation in mutations:
        mutated(mutation)
    if options.list:
        print(f"{len(mutations)} mutants")
        return 0
    lived = run(mutations, options.seed, options.cases)
    print(f"{len(mutations)} mutants, {len(lived)} live: {', '.join(lived)}" if lived else f"{len(mutations)} mutants, all seen")
    return 1 if lived else 0


if __name__ == "__main__":
    sys.exit(main())
