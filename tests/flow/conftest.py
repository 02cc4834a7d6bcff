"""Fixtures of the flow tests: real processes on free ports of the loopback, each test with its own, all in temporary directories."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

pytest.register_assert_rewrite("checks")

import records  # noqa: E402
import world  # noqa: E402
from certificates import Certificates  # noqa: E402
from processes import BUILD, FAULTS, SANITIZER, Gate, Sandbox  # noqa: E402
from upstreams import ScriptedUpstream  # noqa: E402


def pytest_report_header(config):
    return f"portcullis build: {BUILD}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows with a failure what the processes of the test said."""
    report = (yield).get_result()
    if report.failed:
        for process in getattr(item, "portcullis_processes", []):
            report.sections.append((f"{process.name} stderr", process.stderr()[-20000:]))


@pytest.fixture
def processes(request):
    """Stops what was started, last started first, and fails when one did not end well, when a gate's journal holds what the published
    schema does not know, or when anything that a gate wrote holds a secret."""
    started = []
    request.node.portcullis_processes = started
    yield started
    failures = []
    for process in reversed(started):
        try:
            process.stop()
        except AssertionError as failure:
            failures.append(str(failure))
    for gate in started:
        if isinstance(gate, Gate):
            failures += [f"{gate.name}: {leak}" for leak in gate.leaks(world.SECRETS)]
            failures += [f"{gate.name}: {faults} in {record}" for record in records.shapes_of(gate) if (faults := records.faults_of(record))]
    if failures:
        pytest.fail("\n".join(failures), pytrace=False)


@pytest.fixture
def make_sandbox(tmp_path, processes):
    """make_sandbox(**options): starts a sandbox; the options are those of processes.Sandbox."""

    def make(fixtures=world.FIXTURES, **options):
        name = options.pop("name", f"sandbox{len(processes)}")
        sandbox = Sandbox(tmp_path, fixtures=fixtures, name=name, **options)
        processes.append(sandbox)
        return sandbox.start()

    return make


@pytest.fixture
def make_gate(tmp_path, processes):
    """make_gate(upstream, policy=…, config=…, environment=…, certificate=…): starts a gate before a sandbox, a scripted upstream or a URL; with
    a certificate, one that listens with TLS."""

    def make(upstream, policy=None, config=None, environment=None, start=True, **options):
        name = options.pop("name", f"gate{len(processes)}")
        gate = Gate(tmp_path, upstream, policy or world.policy(), config, environment, name=name, **options)
        processes.append(gate)
        return gate.start() if start else gate

    return make


@pytest.fixture
def make_upstream():
    """make_upstream(script, certificate=None, at=(host, port)): an upstream that the test scripts byte by byte."""
    made = []

    def make(script, *options, **named):
        made.append(ScriptedUpstream(script, *options, **named))
        return made[-1]

    yield make
    for upstream in made:
        upstream.close()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A gate before a sandbox for all tests of a module (of one worker): for tables of requests that are all refused or only read."""
    directory = tmp_path_factory.mktemp("pair")
    sandbox = Sandbox(directory, fixtures=world.FIXTURES).start()
    gate = Gate(directory, sandbox, world.policy()).start()
    yield gate, sandbox
    gate.stop()
    sandbox.stop()
    assert gate.leaks(world.SECRETS) == []


@pytest.fixture
def sandbox(make_sandbox):
    return make_sandbox()


@pytest.fixture
def gate(make_gate, sandbox):
    return make_gate(sandbox)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def sanitizer():
    """"asan", "tsan" or None: for bounds on memory and time that a sanitizer changes."""
    return SANITIZER


@pytest.fixture
def faults(monkeypatch):
    """The gates of the test are of the build that has fault points, the test clock and the log of steps."""
    if not (FAULTS / "portcullis").exists():
        pytest.skip(f"{FAULTS.name} is not built: make {FAULTS.name}/portcullis")
    monkeypatch.setattr("processes.BUILD", FAULTS)
