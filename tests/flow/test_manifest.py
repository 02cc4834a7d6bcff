"""A signed manifest vouches for policy and contract: what is altered, copied by half or older is refused, at the start and at a reload."""

import base64
import json
import shutil
import subprocess

import pytest

import world
from processes import BUILD, ROOT, wait_until
from tokens import Issuer
from world import READ, TOKENS

ADMIN = {"admin": {"listen": "127.0.0.1:0"}}


def closed():
    return world.policy(organizations={world.PAYMENTS: {"name": "payments", "grants": []}})


def manifest(*words):
    return subprocess.run([BUILD / "portcullis", "manifest", *map(str, words)], text=True, capture_output=True, timeout=20, check=False)


class Signer:
    """A private key, and gates that demand its signature."""

    def __init__(self, directory, name="example.com/policy"):
        self.key = directory / f"{name.replace('/', '-')}.key"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.key], check=True, capture_output=True)
        self.key.chmod(0o600)
        said = manifest("key", "--key", self.key, "--name", name)
        assert (said.returncode, said.stderr) == (0, "")
        self.public = said.stdout.strip()

    def sign(self, gate, *words):
        """Signs what lies there, as the gate's configuration names it."""
        said = manifest("sign", "-c", gate.config_file, "--key", self.key, "-o", gate.directory / "manifest", "--json", *words)
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)


@pytest.fixture
def signer(tmp_path):
    return Signer(tmp_path)


@pytest.fixture
def signed_gate(make_gate, sandbox, signer, tmp_path):
    """A gate that is not started yet, with a set of its own that is signed with serial 1."""

    def make(**changes):
        contract = tmp_path / "contract.json"
        shutil.copy(ROOT / "conf/integrations.openapi.json", contract)
        gate = make_gate(sandbox, start=False, config={"contract": str(contract), "manifest": {"file": "manifest", "key": signer.public}, **ADMIN,
                                                       **changes})
        gate.contract = contract
        signer.sign(gate)
        return gate

    return make


def refused_start(gate):
    """What the gate says instead of starting."""
    said = subprocess.run(gate.command(), text=True, capture_output=True, timeout=20, check=False)
    assert said.returncode == 2, said
    return said.stderr


def get(gate):
    return gate.request("GET", READ.target, READ.token).status


def test_a_signed_set_is_served_and_its_serial_is_in_the_journal(signed_gate, signer):
    gate = signed_gate().start()
    assert get(gate) == 200
    gate.write_policy(closed())
    assert signer.sign(gate)["serial"] == 2
    assert gate.reload()["detail"].startswith("in force")
    assert get(gate) == 403
    wait_until(lambda: [record["serial"] for record in gate.journal() if record["stage"] == "policy"] == [1, 2], what="both records")
    last = [record for record in gate.journal() if record["stage"] == "policy"][-1]
    shown = json.loads(manifest("show", gate.directory / "manifest", "--json").stdout)
    assert {name: last[name] for name in ("policy", "contract", "serial")} == shown
    verified = manifest("verify", "-c", gate.config_file, "--json")
    assert verified.returncode == 0 and json.loads(verified.stdout) == {**shown, "key": signer.public}


def altered_policy(gate, signer):
    gate.write_policy(closed())
    return "of another policy"


def altered_contract(gate, signer):
    gate.contract.write_text(gate.contract.read_text() + " ")
    return "of another contract"


def other_keys_of_tokens(gate, signer):
    """They are changed after the set was signed with them."""
    (gate.directory / "issuer.jwks.json").write_text(json.dumps(Issuer().jwks()))
    gate.write_policy(world.policy(oauth={"issuer": Issuer.NAME, "audience": Issuer.AUDIENCE, "keys": "issuer.jwks.json"}))
    keys = signer.sign(gate)["oauth_keys"]
    assert gate.reload()["detail"].startswith("in force")
    wait_until(lambda: [record.get("oauth_keys") for record in gate.journal() if record["stage"] == "policy"] == [None, keys], what="both records")
    (gate.directory / "issuer.jwks.json").write_text(json.dumps(Issuer().jwks()))
    return "of other keys of OAuth tokens"


def another_key(gate, signer):
    other = Signer(gate.directory, "example.com/other")
    gate.configure({"manifest": {"key": other.public}})
    other.sign(gate, "--serial", "9")
    gate.configure({"manifest": {"key": signer.public}})
    return "not signed by this key"


def another_key_of_the_same_name(gate, signer):
    (gate.directory / "elsewhere").mkdir()
    other = Signer(gate.directory / "elsewhere")
    gate.configure({"manifest": {"key": other.public}})
    other.sign(gate, "--serial", "9")
    gate.configure({"manifest": {"key": signer.public}})
    return "not signed by this key"


def changed_serial(gate, signer):
    path = gate.directory / "manifest"
    path.write_text(path.read_text().replace("serial 1\n", "serial 3\n"))
    return "signature by this key does not fit"


def half_written(gate, signer):
    path = gate.directory / "manifest"
    path.write_bytes(path.read_bytes()[:-30])
    return "the manifest does not vouch"


def missing(gate, signer):
    (gate.directory / "manifest").unlink()
    return "No such file"


def a_checkpoint(gate, signer):
    """A good signature by the key, of a note of another kind."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    text = "example.com/policy\n1\n" + base64.b64encode(bytes(32)).decode() + "\n"
    signature = load_pem_private_key(signer.key.read_bytes(), None).sign(text.encode())
    name, number, _ = signer.public.split("+", 2)
    note = f"{text}\n\u2014 {name} {base64.b64encode(bytes.fromhex(number) + signature).decode()}\n"
    (gate.directory / "manifest").write_text(note)
    return "it is no manifest"


FAULTS = [altered_policy, altered_contract, other_keys_of_tokens, another_key, another_key_of_the_same_name, changed_serial, half_written, missing, a_checkpoint]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.__name__ for fault in FAULTS])
def test_what_no_manifest_vouches_for_is_refused(signed_gate, signer, fault):
    """At a reload the old set stays; at the start there is none, and the gate does not start."""
    gate = signed_gate().start()
    assert get(gate) == 200
    says = fault(gate, signer)
    assert "stay as they were" in gate.reload()["detail"] and says in gate.stderr()
    assert get(gate) == 200
    status, checks = gate.health()
    assert status == 200 and checks["policy"]["last_reload"] == "failed" and says in checks["policy"]["last_reload_why"]
    verified = manifest("verify", "-c", gate.config_file)
    assert verified.returncode == 1 and says in verified.stderr
    gate.stop()
    assert says in refused_start(gate)


def test_an_older_set_is_refused(signed_gate, signer):
    """The journal knows what was in force: across a reload, a restart, and new segments; and nobody may give one serial to two sets."""
    gate = signed_gate().start()
    first = {path: path.read_bytes() for path in (gate.policy_file, gate.directory / "manifest")}
    gate.write_policy(closed())
    signer.sign(gate, "--serial", "5")
    gate.reload()
    second = {path: path.read_bytes() for path in first}

    def put(files):
        for path, content in files.items():
            path.write_bytes(content)

    put(first)
    assert "5 was in force already" in gate.reload()["detail"] and get(gate) == 403
    gate.stop()
    assert "5 was in force already" in refused_start(gate)
    gate.write_policy(world.policy(principals={}, organizations={}))
    signer.sign(gate, "--serial", "5")
    assert "serial 5 was in force already for another" in refused_start(gate)
    # The same set again, and each start begins a segment: what it says of the newest is enough.
    put(second)
    for _ in range(2):
        gate.start()
        assert get(gate) == 403
        gate.stop()
    headers = [record for record in gate.journal() if record["stage"] == "segment"]
    assert [header.get("serial") for header in headers] == [1, 5, 5]
    gate.segments()[0].rename(gate.directory / "away")
    put(first)
    assert "5 was in force already" in refused_start(gate)
    # Without the demand anything goes, and what was known is not forgotten by that.
    gate.configure({"manifest": None})
    gate.start()
    assert get(gate) == 200
    gate.stop()
    gate.configure({"manifest": {"file": "manifest", "key": signer.public}})
    assert "5 was in force already" in refused_start(gate)
    subprocess.run([BUILD / "portcullis", "audit", "stats", gate.audit_directory], check=True, capture_output=True, timeout=20)


def test_files_of_a_set_may_arrive_in_any_order(signed_gate, signer):
    """With the watch on, a set comes into force when it is whole, and no sooner."""
    gate = signed_gate(policy_watch=True).start()
    before = (gate.directory / "manifest").read_bytes()
    gate.write_policy(closed())
    signer.sign(gate)
    after = (gate.directory / "manifest").read_bytes()
    (gate.directory / "manifest").write_bytes(before)
    wait_until(gate.reloads, what="a word on half a set")
    assert get(gate) == 200 and "stay as they were" in gate.reloads()[-1]["detail"]
    (gate.directory / "manifest").write_bytes(after)
    wait_until(lambda: gate.reloads()[-1]["detail"].startswith("in force"), what="the whole set")
    assert get(gate) == 403


def test_the_command_line_says_what_it_does_not_do(signed_gate, signer, tmp_path):
    gate = signed_gate()
    other = Signer(tmp_path, "example.com/other")
    wrong = manifest("sign", "-c", gate.config_file, "--key", other.key)
    assert wrong.returncode == 2 and "is not the key whose public part manifest.key is" in wrong.stderr
    (tmp_path / "manifest").write_text("nothing")
    unknown = manifest("sign", "-c", gate.config_file, "--key", signer.key)
    assert unknown.returncode == 2 and "say it with --serial" in unknown.stderr
    assert manifest("show", tmp_path / "manifest").returncode == 2
    for serial in ("0", "-1", "9007199254740992", "1x", ""):
        assert manifest("sign", "-c", gate.config_file, "--key", signer.key, "--serial", serial).returncode == 2
    gate.write_policy(world.policy(principles={}))
    broken = manifest("sign", "-c", gate.config_file, "--key", signer.key, "--serial", "2")
    assert broken.returncode == 2 and "principles" in broken.stderr
    gate.configure({"manifest": None})
    assert "demands no manifest" in manifest("verify", "-c", gate.config_file).stderr
    assert TOKENS  # the fixtures look for secrets in what was written
