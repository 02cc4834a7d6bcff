"""Each way to change a journal without its key: `audit verify` names it, and where. What only somebody else can know (the key, a checkpoint kept
elsewhere) is found with --key and --checkpoint, and only so."""

import json
import re
import shutil

import pytest

import world
from audit_log import Log, Signer, audit, found, leaf
from processes import Gate, Sandbox

ORIGIN = "portcullis/gate.example"


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """What three lives of a gate leave behind: several segments, a checkpoint after every few records."""
    directory = tmp_path_factory.mktemp("tamper")
    sandbox = Sandbox(directory, fixtures=world.FIXTURES).start()
    gate = Gate(directory, sandbox, world.policy(), {"audit": {"origin": ORIGIN, "checkpoint_records": 5, "segment_bytes": 8192}})
    for _ in range(3):
        gate.start()
        for operation in world.OPERATIONS * 3:
            gate.request(operation.method, operation.target, operation.token, body=operation.body)
        gate.stop()
    sandbox.stop()
    return gate.audit_directory


@pytest.fixture
def log(journal, tmp_path):
    return Log(journal, tmp_path / "log")


def middle(log):
    """A number in the middle of a segment in the middle of the log, neither header nor last."""
    name = log.names[len(log.names) // 2]
    return json.loads(log.segments[name][len(log.segments[name]) // 2])["seq"]


def header_seq(log, index):
    return json.loads(log.segments[log.names[index]][0])["seq"]


def test_the_log_as_it_was_written_passes(log):
    report = log.verify()
    assert report["good"] and report["findings"] == []
    assert report["segments"] == len(log.names) > 4
    assert report["records"] == report["last_seq"] == report["covered"] == log.size
    assert report["checkpoints"] == len(log.notes) > 5
    assert report["origin"] == ORIGIN and report["key"] == log.vkey
    assert log.verify("--key", log.vkey)["good"]
    assert log.verify("--key", log.directory / "verifier.vkey", "--checkpoint", log.notes[3])["good"]
    done = audit("verify", log.directory, status=0)
    assert f"ok, {log.size} records" in done.out and done.err == ""


# One line

def test_a_line_changed(log):
    """Every single line of the log: a record, a header, the last one."""
    lines = log.lines()
    for seq in sorted({1, 2, middle(log), header_seq(log, 3), header_seq(log, 3) - 1, log.size - 1, log.size}):
        copy = Log(log.directory, log.directory.parent / f"changed-{seq}")
        place = copy.change(seq)
        report = copy.save().verify()
        assert not report["good"], seq
        if seq < log.size:
            assert found(report) == [("changed", *place)], (seq, report)
        else:  # nothing names the last line but the checkpoint
            assert [kind for kind, _, _ in found(report)] == ["changed"], report
            assert f"{log.size} are not those that were signed" in report["findings"][0]["message"], report
        assert report["records"] == len(lines)


def test_any_byte_of_a_line_changed(log):
    """Whatever byte it is: the line is named."""
    seq = middle(log)
    name, number = log.place(seq)
    line = log.segments[name][number - 1]
    for at in range(0, len(line), 7):
        copy = Log(log.directory, log.directory.parent / f"byte-{at}")
        copy.segments[name][number - 1] = line[:at] + bytes([line[at] ^ 1]) + line[at + 1:]
        report = copy.save().verify()
        lines = {(file, line) for _, file, line in found(report)}
        assert (name, number) in lines or (name, number + 1) in lines, (at, report)  # at a number that fell out, the gap is behind it
        assert len(found(report)) <= 3, (at, report)
        shutil.rmtree(copy.directory)


def test_a_newline_put_in_or_taken_out(log):
    seq = middle(log)
    name, number = log.place(seq)
    whole = log.segments[name]
    log.segments[name] = whole[:number - 1] + [whole[number - 1][:100], whole[number - 1][100:]] + whole[number:]
    kinds = [kind for kind, file, line in found(log.save().verify()) if file == name and line in (number, number + 1, number + 2)]
    assert kinds.count("form") == 2
    log.segments[name] = whole[:number - 1] + [whole[number - 1] + whole[number]] + whole[number + 1:]
    report = log.save().verify()
    assert ("form", name, number) in found(report) and ("missing", name, number + 1) in found(report), report


def test_two_neighbours_changed(log):
    seq = middle(log)
    place = log.change(seq)
    log.change(seq + 1)
    report = log.save().verify()
    assert [kind for kind, _, _ in found(report)] == ["changed"], report
    finding = report["findings"][0]
    assert (finding["file"], finding["line"]) == (place[0], place[1] + 1)
    assert f"{place[0]}:{place[1]} may be changed as well" in finding["message"]


def test_prev_changed(log):
    """The line itself is named, not the one before it that it no longer names."""
    place = log.change(middle(log), rb'"prev":"....', b'"prev":"0000')
    report = log.save().verify()
    assert found(report) == [("changed", *place)], report


def test_a_number_changed(log):
    place = log.change(middle(log), rb'"seq":(\d+)', rb'"seq":9\1')
    assert found(log.save().verify()) == [("changed", *place)]


def test_two_lines_far_apart_changed(log):
    first = log.change(3)
    second = log.change(log.size - 3)
    report = log.save().verify()
    assert found(report) == [("changed", *first), ("changed", *second)], report


def test_a_line_deleted(log):
    for seq in (middle(log), header_seq(log, 3) - 1):
        copy = Log(log.directory, log.directory.parent / f"deleted-{seq}")
        behind = copy.place(seq + 1)
        name, number = copy.place(seq)
        del copy.segments[name][number - 1]
        report = copy.save().verify()
        expected = (behind[0], behind[1] - 1) if behind[0] == name else behind
        assert found(report) == [("missing", *expected)], report
        assert f"number {seq}," in report["findings"][0]["message"]


def test_several_lines_deleted(log):
    seq = middle(log) - 1
    name, number = log.place(seq)
    del log.segments[name][number - 1:number + 2]
    report = log.save().verify()
    assert found(report) == [("missing", name, number)], report
    assert f"the log lacks numbers {seq} to {seq + 2}," in report["findings"][0]["message"]


def test_a_header_deleted(log):
    name = log.names[3]
    del log.segments[name][0]
    report = log.save().verify()
    assert ("missing", name, 1) in found(report) and ("header", name, 1) in found(report), report


def test_the_first_line_deleted(log):
    del log.segments[log.names[0]][0]
    report = log.save().verify()
    assert ("missing", log.names[0], 1) in found(report), report


def test_a_line_put_in(log):
    """One that names the line before it, with the number that follows; one that names nothing; one without number; one that is no JSON."""
    seq = middle(log)
    name, number = log.place(seq)
    line = log.segments[name][number]  # a good one, which stands behind
    forged = re.sub(rb'"time":"....', b'"time":"1999', line)
    nothing = re.sub(rb'"prev":"....', b'"prev":"0000', forged)
    for kind, new in {"inserted": forged, "nameless": nothing, "far": re.sub(rb'"seq":\d+', b'"seq":99999999', nothing),
                      "numberless": re.sub(rb'"seq":\d+', b'"seq":0', forged), "garbage": b"garbage"}.items():
        copy = Log(log.directory, log.directory.parent / kind)
        copy.segments[name].insert(number, new)
        report = copy.save().verify()
        assert {(file, line) for _, file, line in found(report)} == {(name, number + 1)}, (kind, report)
        assert "inserted" in [kind for kind, _, _ in found(report)], (kind, report)


def test_several_lines_put_in(log):
    """A stretch that is chained by the rules, as far as the line before it."""
    seq = middle(log)
    name, number = log.place(seq)
    before, forged = log.segments[name][number - 1], []
    for more in (1, 2):
        line = re.sub(rb'"prev":"[0-9a-f]{64}"', f'"prev":"{leaf(before).hex()}"'.encode(), log.segments[name][number])
        line = re.sub(rb'"time":"....', b'"time":"1999', re.sub(rb'"seq":\d+', b'"seq":%d' % (seq + more), line))
        forged.append(line)
        before = line
    log.segments[name][number:number] = forged
    report = log.save().verify()
    first, *others = found(report)
    assert first == ("inserted", name, number + 1), report
    assert {kind for kind, _, _ in others} <= {"checkpoint"}, report  # one may have been signed within the stretch
    assert f"from here to {name}:{number + 2} were" in report["findings"][0]["message"]


def test_a_line_doubled(log):
    name, number = log.place(middle(log))
    log.segments[name].insert(number, log.segments[name][number - 1])
    report = log.save().verify()
    assert found(report) == [("repeated", name, number + 1)], report
    assert f"{name}:{number}" in report["findings"][0]["message"]


def test_two_lines_swapped(log):
    name, number = log.place(middle(log))
    lines = log.segments[name]
    lines[number - 1], lines[number] = lines[number], lines[number - 1]
    report = log.save().verify()
    assert found(report) == [("moved", name, number)], report


def test_a_line_moved_far(log):
    name, number = log.place(middle(log))
    target = log.names[1]
    log.segments[target].insert(4, log.segments[name].pop(number - 1))
    report = log.save().verify()
    assert ("moved", target, 5) in found(report), report


# The end

def test_truncated_at_every_line(log):
    whole = log.segments[log.names[-1]]
    for keep in range(len(whole)):
        log.segments[log.names[-1]] = whole[:keep]
        report = log.save().verify()
        left = log.size
        assert [kind for kind, _, _ in found(report)] == ["truncated"], (keep, report)
        assert f"ends here, with number {left}" in report["findings"][0]["message"], report


def test_truncated_inside_a_line(log):
    path = log.directory / log.names[-1]
    whole = path.read_bytes()
    for cut in range(1, 1200, 37):
        path.write_bytes(whole[:-cut])
        report = log.verify()
        assert "truncated" in [kind for kind, _, _ in found(report)], (cut, report)


def test_an_older_segment_truncated(log):
    name = log.names[2]
    path = log.directory / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    report = log.verify()
    assert ("truncated", name, len(log.segments[name])) in found(report) and ("missing", log.names[3], 1) in found(report), report
    path.write_bytes(whole[:whole[:-1].rindex(b"\n") + 1])
    assert found(log.verify()) == [("missing", log.names[3], 1)]


def test_appended(log):
    """Behind the gate's last word: garbage, a record out of nothing, one chained by the rules, a copy."""
    name = log.names[-1]
    last = log.segments[name][-1]
    refused = next(line for _, _, line in log.lines() if b'"stage":"refused"' in line or b'"stage":"outcome"' in line)
    chained = re.sub(rb'"prev":"[0-9a-f]{64}"', f'"prev":"{leaf(last).hex()}"'.encode(), refused)
    chained = re.sub(rb'"seq":\d+', b'"seq":%d' % (log.size + 1), chained)
    unchained = re.sub(rb'"prev":"....', b'"prev":"0000', chained)
    for what, line in {"garbage": b"{}", "unchained": unchained, "chained": chained, "copy": last, "old": refused}.items():
        copy = Log(log.directory, log.directory.parent / what)
        copy.segments[name].append(line)
        report = copy.save().verify()
        assert (name, len(copy.segments[name])) in {(file, line) for _, file, line in found(report)}, (what, report)
        assert {(file, line) for _, file, line in found(report)} == {(name, len(copy.segments[name]))}, (what, report)


def test_a_forged_run_appended(log):
    """A whole segment, chained and counted by the rules, as if the gate had been started again: nothing signed speaks for it."""
    header = log.segments[log.names[0]][0]
    name = f"{log.size + 1:016}-20990101T000000Z.jsonl"
    header = re.sub(rb'"run":\d+', b'"run":%d' % (log.size + 1), header)
    log.segments[name] = [header, *log.segments[log.names[0]][1:6]]
    report = log.rechain().save().verify()
    assert [kind for kind, _, _ in found(report)] == ["unsigned"], report
    assert report["findings"][0]["file"] == name


# Whole segments

def test_a_segment_removed(log):
    for index in (0, 1, len(log.names) // 2, len(log.names) - 1):
        copy = Log(log.directory, log.directory.parent / f"removed-{index}")
        name = copy.names[index]
        behind = copy.names[index + 1] if index + 1 < len(copy.names) else None
        del copy.segments[name]
        report = copy.save().verify()
        expected = ("missing", behind, 1) if behind else ("truncated", copy.names[-1], len(copy.segments[copy.names[-1]]))
        assert found(report) == [expected], (index, report)


def test_all_segments_removed(log):
    log.segments = {}
    report = log.save().verify()
    assert [kind for kind, _, _ in found(report)] == ["truncated"], report


def test_a_segment_renamed(log):
    name = log.names[2]
    log.segments[f"{9:016}" + name[16:]] = log.segments.pop(name)
    report = log.save().verify()
    assert ("header", f"{9:016}" + name[16:], 1) in found(report), report


def test_a_segment_renamed_to_what_is_no_segment(log):
    name, behind = log.names[3], log.names[4]
    (log.directory / name).rename(log.directory / f"{name}.bak")
    assert found(log.verify()) == [("missing", behind, 1)]


def test_two_segments_swapped(log):
    one, other = log.names[2], log.names[3]
    log.segments[one], log.segments[other] = log.segments[other], log.segments[one]
    report = log.save().verify()
    assert ("header", one, 1) in found(report) and ("header", other, 1) in found(report), report
    assert "moved" in [kind for kind, _, _ in found(report)], report


def test_a_segment_doubled(log):
    name = log.names[2]
    copy = name.replace(name[17:25], "29990101")
    log.segments[copy] = list(log.segments[name])
    report = log.save().verify()
    assert ("repeated", copy, 1) in found(report), report


def test_a_header_changed(log):
    """The edge, the size, the run, the origin; alone, and with all hashes behind it made anew."""
    name = log.names[3]
    changes = {"edge": (rb'"edge":\["....', b'"edge":["0000'), "origin": (rb'"origin":"p', b'"origin":"q'), "run": (rb'"run":\d+', b'"run":1234567'),
               "tree_size": (rb'"tree_size":\d+', b'"tree_size":3'), "format": (rb'"format":\d+', b'"format":7')}
    for what, (pattern, by) in changes.items():
        copy = Log(log.directory, log.directory.parent / what)
        copy.segments[name][0] = re.sub(pattern, by, copy.segments[name][0])
        assert copy.segments[name][0] != log.segments[name][0]
        report = copy.save().verify()
        assert (name, 1) in {(file, line) for _, file, line in found(report)}, (what, report)


def test_an_edge_of_hashes_changed_and_chained_anew(log):
    """The lines behind a forged header name each other well: the tree does not agree."""
    name = log.names[-1]
    log.segments[name][0] = re.sub(rb'"edge":\["....', b'"edge":["0000', log.segments[name][0])
    before = None
    for at, line in enumerate(log.segments[name]):
        if before is not None:
            line = re.sub(rb'"prev":"[0-9a-f]{64}"', f'"prev":"{before}"'.encode(), line)
        log.segments[name][at] = line
        before = leaf(line).hex()
    report = log.save().verify()
    assert ("header", name, 1) in found(report), report


# Hashed anew

@pytest.mark.parametrize("what", ["change", "delete", "insert", "swap"])
def test_changed_and_hashed_anew(log, what):
    """All hashes, numbers and headers fit each other: only the signatures do not."""
    seq = middle(log)
    name, number = log.place(seq)
    lines = log.segments[name]
    if what == "change":
        log.change(seq)
    elif what == "delete":
        del lines[number - 1]
    elif what == "insert":
        lines.insert(number - 1, lines[number - 1])
    else:
        lines[number - 1], lines[number] = lines[number], lines[number - 1]
    log.rechain()
    log.segments = {f"{json.loads(lines[0])['seq']:016}{name[16:]}": lines for name, lines in log.segments.items()}
    report = log.save().verify()
    kinds = [kind for kind, _, _ in found(report)]
    assert "changed" in kinds and set(kinds) <= {"changed", "truncated", "header"}, report  # a run that begins behind its header
    finding = next(finding for finding in report["findings"] if finding["kind"] == "changed")
    assert finding["file"].startswith("checkpoints/"), report
    first, last = re.search(r"between (\S+) and (\S+) some", finding["message"]).groups()
    places = [(name, number) for name, number, _ in log.lines()]
    bounds = [tuple(place.rsplit(":", 1)) for place in (first, last)]
    low, high = (places.index((name, int(number))) for name, number in bounds)
    assert low <= seq <= high + 2, report  # a copy put in changes nothing before the line behind it


def test_hashed_anew_without_the_checkpoints_that_show_it(log):
    """Those of fewer lines are left: then the gate has not signed what it signs when it stops."""
    seq = middle(log)
    log.change(seq)
    log.rechain().save()
    for note in log.notes:
        if int(note.stem) >= seq:
            note.unlink()
    assert [kind for kind, _, _ in found(log.verify())] == ["unsigned"]
    for note in log.notes:
        note.unlink()
    assert [kind for kind, _, _ in found(log.verify())] == ["unsigned"]


# Checkpoints and keys

def test_the_newest_checkpoint_replaced_by_an_older_one(log):
    newest = log.notes[-1]
    newest.write_bytes(log.notes[-2].read_bytes())
    report = log.verify()
    assert ("checkpoint", f"checkpoints/{newest.name}", 0) in found(report), report


def test_the_newest_checkpoint_removed(log):
    log.notes[-1].unlink()
    report = log.verify()
    assert found(report) == [("unsigned", log.names[-1], len(log.segments[log.names[-1]]))], report


def test_all_checkpoints_removed(log):
    shutil.rmtree(log.directory / "checkpoints")
    assert [kind for kind, _, _ in found(log.verify())] == ["unsigned"]


def test_a_checkpoint_of_another_log_put_in(log):
    """Signed by the key of this log, as one under which two logs are kept; and of a log under another name."""
    other = Signer(ORIGIN)
    log.resign(other)
    assert log.verify("--key", other.vkey)["good"]
    note = log.notes[4]
    note.write_text(other.checkpoint(int(note.stem), bytes(32)))
    assert found(log.verify()) == [("checkpoint", f"checkpoints/{note.name}", 0)]


def test_a_checkpoint_changed(log):
    note = log.notes[5]
    text = note.read_text()
    size = int(note.stem)
    lines = text.split("\n")
    changes = {
        "origin": text.replace("gate.example\n", "gate.exampl\n", 1), "size": text.replace(f"\n{size}\n", f"\n{size - 1}\n", 1),
        "root": text.replace(lines[2], lines[2][:-4] + ("AAA=" if not lines[2].endswith("AAA=") else "BBB="), 1),
        "signature": text[:-6] + ("AA" if text[-6:-4] != "AA" else "BB") + text[-4:], "unsigned": "\n".join(lines[:4]), "empty": "",
        "cut": text[:-10], "garbage": "\0" * 40,
    }
    for what, changed in changes.items():
        assert changed != text, what
        note.write_text(changed)
        report = log.verify()
        assert found(report) == [("checkpoint", f"checkpoints/{note.name}", 0)], (what, report)


def test_the_public_key_exchanged_or_removed(log):
    path = log.directory / "verifier.vkey"
    whole = path.read_text()
    path.write_text(Signer(ORIGIN).vkey + "\n")
    assert "checkpoint" in {kind for kind, _, _ in found(log.verify())}
    assert "key" in {kind for kind, _, _ in found(log.verify("--key", whole.strip()))}
    path.unlink()
    assert {kind for kind, _, _ in found(log.verify())} == {"key"}
    assert log.verify("--key", whole.strip())["good"]
    path.write_text("garbage\n")
    assert "key" in {kind for kind, _, _ in found(log.verify())}


def test_another_key_given(log):
    kinds = {kind for kind, _, _ in found(log.verify("--key", Signer(ORIGIN).vkey))}
    assert {"key", "checkpoint", "unsigned"} <= kinds


# What only somebody else can show

def test_signed_anew_by_another_key(log):
    """Changed, hashed anew, every checkpoint signed anew, the public key exchanged: it passes by itself, not under the right key."""
    vkey = log.vkey
    log.change(middle(log))
    log.rechain().save().resign(Signer(ORIGIN))
    assert log.verify()["good"]
    report = log.verify("--key", vkey)
    assert {"key", "checkpoint", "unsigned"} <= {kind for kind, _, _ in found(report)}, report


def test_rolled_back(log, tmp_path):
    """Lines and checkpoints of the last run taken away together, down to the gate's stop before: it passes by itself, not beside a checkpoint
    kept elsewhere."""
    kept = tmp_path / "kept.note"
    shutil.copy(log.notes[-1], kept)
    older = tmp_path / "older.note"
    shutil.copy(log.notes[2], older)
    stops = [(index, name) for index, name in enumerate(log.names) if b'"stage":"stop"' in log.segments[name][-1]]
    last = stops[-2][0]
    for name in log.names[last + 1:]:
        del log.segments[name]
    log.save()
    for note in log.notes:
        if int(note.stem) > log.size:
            note.unlink()
    assert log.verify()["good"]
    report = log.verify("--checkpoint", kept)
    assert found(report) == [("rolled-back", str(kept), 0)], report
    report = log.verify("--checkpoint", older)
    assert report["good"] and ("extends", str(older), 0) in found(report, damage=False), report


def test_written_anew_behind_a_checkpoint_kept_elsewhere(log, tmp_path):
    """The one who did it even had the key."""
    signer = Signer(ORIGIN)
    log.resign(signer)
    kept = tmp_path / "kept.note"
    shutil.copy(log.notes[-1], kept)
    log.change(middle(log))
    log.rechain().save().resign(signer)
    assert log.verify("--key", signer.vkey)["good"]
    report = log.verify("--key", signer.vkey, "--checkpoint", kept)
    assert found(report) == [("rolled-back", str(kept), 0)], report


def test_a_checkpoint_kept_elsewhere_that_proves_nothing(log, tmp_path):
    forged = tmp_path / "forged.note"
    forged.write_text(Signer(ORIGIN).checkpoint(5, log.roots()[5]))
    assert found(log.verify("--checkpoint", forged)) == [("unproven", str(forged), 0)]
    other = Signer("portcullis/other.example")
    forged.write_text(other.checkpoint(5, log.roots()[5]))
    assert found(log.verify("--checkpoint", forged, "--key", log.vkey, "--key", other.vkey)) != []


# A segment alone

def test_one_segment(log):
    """The newest, in which the checkpoint of the gate's stop ends; then one in the middle."""
    name = log.names[-1]
    report = log.verify(path=log.directory / name)
    assert report["good"] and report["records"] == len(log.segments[name]), report
    name = log.names[3]
    path = log.directory / name
    log.note(header_seq(log, 4) - 1).touch()
    log.resign(Signer(ORIGIN))  # so that a checkpoint ends with the segment
    assert log.verify(path=path)["good"]
    place = log.change(header_seq(log, 3) + 2)
    assert found(log.save().verify(path=path)) == [("changed", *place)]
    log.segments[name].pop()
    assert "truncated" in {kind for kind, _, _ in found(log.save().verify(path=path))}


def test_one_segment_that_no_checkpoint_ends_in(log):
    name = log.names[3]
    for note in log.notes:
        if header_seq(log, 3) - 1 <= int(note.stem) < header_seq(log, 4):
            note.unlink()
    assert log.verify()["good"]
    assert {kind for kind, _, _ in found(log.verify(path=log.directory / name))} == {"unproven"}
