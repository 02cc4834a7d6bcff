"""Are the storms worth something? Each mutant is the gate with one line of its reservations changed, compiled and linked as a program of its own, and
must be seen: by the storms, or by the flow test that is named for what no storm can bring about.

    seeded.py [--only WORD] [--rounds 150] [--seed 1] [--list]

PORTCULLIS_BUILD says which build to change: one made with FAULTS=1.
"""

import argparse
import collections
import os
import pathlib
import shlex
import subprocess
import sys
import time

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "flow"), str(TESTS / "property")]

os.environ["FAULTS"] = "1"  # the flags are those of that build

import mutants  # noqa: E402
from processes import BUILD, ROOT  # noqa: E402

PLAIN = BUILD.with_name(BUILD.name.removesuffix("-fault"))  # what the flow tests use besides the gate
CHECK, RESERVE, SETTLE = (f"proxy/audit/claims_{name}.c" for name in ("check", "reserve", "settle"))
APPROVAL, DIGEST = "proxy/worker/exchange_approval.c", "proxy/worker/exchange_digest.c"
FLOW = "tests/flow/test_approvals.py"

Mutant = collections.namedtuple("Mutant", "name file line instead seen_by", defaults=("storms",))

MUTANTS = [Mutant(*row) for row in [
    # Nothing is reserved.
    # An approval's request is its twin, too, which alone would do while it is under way.
    ("neither an approval nor a twin is reserved", RESERVE, ("used->state = APPROVAL_USED;", "return put(book, &twin->held, true);"),
     ("used->state = APPROVAL_PENDING;", "book_drop(&twin->held);\n    return true;")),
    ("an approval can be used again", SETTLE, "else\n        book_forget(ending->book, &approval->held);", "else\n        approval->state = APPROVAL_PENDING;"),
    ("a key is not reserved", RESERVE, "return put(book, &key->held, whole);", "book_drop(&key->held);\n    return whole;"),
    ("a twin is not reserved", RESERVE, "return put(book, &twin->held, true);", "book_drop(&twin->held);\n    return true;"),
    ("a budget is not reserved", RESERVE, "return budget != NULL && book_spend(book, budget, record->time_us, claim->seconds);",
     "return budget != NULL;"),
    ("a breaker does not stay shut", RESERVE, "->tripped_us = record->time_us;", "->tripped_us = 0;"),
    # What was approved, or sent by that key, is not looked at.
    ("a key is good for another request", CHECK, "if (!span_is(claim->request, key->request))", "if (false)"),
    ("facts are not compared", CHECK, "return span_is(claim->facts, approval->facts) &&", "return"),
    ("the radius is not bound", CHECK, "return number <= approved;", "return true;", FLOW),
    ("the pre-image is not in the facts", DIGEST, "if (exchange->survey != NULL)", "if (false)"),
    ("the body is not in the request", DIGEST, "text_add(&form, body.data, body.length);", ""),
    ("the principal is not in the request", DIGEST, "    add_part(&form, span_of(decision->principal->name));\n    add_part(&form, span_of(decision->operation->id));",
     "    add_part(&form, span_of(decision->operation->id));"),
    ("the principal is not in the key", DIGEST, "    add_part(&form, span_of(decision->principal->name));\n    add_part(&form, decision->orders.key);",
     "    add_part(&form, decision->orders.key);"),
    # It is used up too early, or given back too early.
    ("an approval is used up by what was not sent", SETTLE, "approval->state = APPROVAL_PENDING;", "book_forget(ending->book, &approval->held);",
     FLOW),
    ("what became of it is unknown, and a key is free", SETTLE, "key->state = KEY_UNKNOWN;\n        break;\n    case END_FOUND:",
     "book_forget(ending->book, &key->held);\n        break;\n    case END_FOUND:"),
    ("what was found makes a key free", SETTLE, "key->state = result.data == NULL", "book_forget(ending->book, &key->held);\n        return;\n        key->state = result.data == NULL"),
    ("a twin is free when what became of it is unknown", SETTLE, "if (twin != NULL && ending->end != END_UNKNOWN)", "if (twin != NULL)",
     "tests/flow/test_repeats.py"),
    ("a budget is given back by what was sent", SETTLE, "if (budget != NULL && ending->end == END_NOT_SENT)", "if (budget != NULL && ending->end == END_DONE)"),
    ("a twin stays for ever", SETTLE, "if (twin != NULL && ending->end != END_UNKNOWN)", "if (twin != NULL && ending->end == END_NOT_SENT)"),
    # People and time.
    ("who owns the requester counts", APPROVAL, "return may ? approver : NULL;", "return approver;", FLOW),
    ("two with a person in common are two", APPROVAL, "if (approver == NULL || is_counted(exchange, standing, approver))", "if (approver == NULL)", FLOW),
    ("many look at the same at once", "proxy/worker/exchange_repeat.c", "if (underway_enter(", "if (true || underway_enter(", "tests/flow/test_repeats.py"),
    ("what is taken back stays", RESERVE, "if (span_is(claim->principal, approval->given[i].principal)) {", "if (false) {"),
    ("an approval has no end", CHECK, "approval->state == APPROVAL_PENDING && approval->expires_us > now_us;", "approval->state == APPROVAL_PENDING && now_us > 0;"),
    ("a key is kept for an hour", CHECK, "key->time_us + CLAIM_KEY_S * CLAIM_SECOND_US > now_us", "key->time_us + 3600 * CLAIM_SECOND_US > now_us"),
    ("a reset opens nothing", RESERVE, "if (scope_is_of(held->name, claim->scope) && !book_change(book, held, NULL))", "if (false)"),
]]


def directory_of(mutant, number):
    """Builds it into a directory that looks like a build."""
    binary = mutants.build(mutants.Mutation(mutant.name, mutant.file, mutant.line, mutant.instead), f"claims-{number}")
    directory = binary.parent
    for path in (BUILD / "portcullis-sandbox", BUILD / "powercut.so", PLAIN / "bench"):
        link = directory / path.name
        link.unlink(missing_ok=True)
        if path.exists():
            link.symlink_to(path)
    return directory


def catch(mutant, directory, options):
    """What saw it, or None. A mutant that cannot even run is not seen."""
    environment = {**os.environ, "PORTCULLIS_BUILD": os.path.relpath(directory, ROOT)}
    storms = mutant.seen_by == "storms"
    words = ([sys.executable, TESTS / "rounds" / "many.py", "--rounds", str(options.rounds), "--seed", str(options.seed)] if storms else
             [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-x", TESTS.parent / mutant.seen_by])
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1800, check=False)
    said = done.stderr if storms else done.stdout
    if done.returncode == 0:
        return None
    return next((line for line in said.splitlines() if line.startswith(("round ", "FAILED", "too rare"))), said[-300:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="those with this word in file or name")
    parser.add_argument("--rounds", type=int, default=150, help="how many rounds a mutant must be seen among")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="only checks that each line to be changed is there")
    options = parser.parse_args()
    chosen = [(number, mutant) for number, mutant in enumerate(MUTANTS) if options.only in f"{mutant.file} {mutant.name}"]
    for _, mutant in chosen:
        mutants.mutated(mutants.Mutation(mutant.name, mutant.file, mutant.line, mutant.instead))
    if options.list:
        print(f"{len(chosen)} mutants")
        return 0
    lived = []
    for number, mutant in chosen:
        began = time.monotonic()
        seen = catch(mutant, directory_of(mutant, number), options)
        print(f"{'seen ' if seen else 'lives'}  {mutant.name} ({time.monotonic() - began:.0f} s, {mutant.seen_by}): {(seen or '')[:220]}", flush=True)
        lived += [] if seen else [mutant.name]
    print(f"{len(chosen)} mutants, {len(lived)} live: {', '.join(lived)}" if lived else f"{len(chosen)} mutants, all seen")
    return bool(lived)


if __name__ == "__main__":
    sys.exit(main())
