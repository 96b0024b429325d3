"""Running one of the kernel's test programs as a trial, in a guest of its own."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import msgspec
from msgspec import Struct

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestError, LpharnessError
from lpharness.cases.model import Case, Expect
from lpharness.checks import judge, overall
from lpharness.checks.contract import Recording, Selftest
from lpharness.checks.replay import save_context
from lpharness.checks.selftest import read_tests
from lpharness.engine.listening import ConsoleListener, MonitorListener
from lpharness.engine.observe import Observer
from lpharness.engine.witness import Witness
from lpharness.guests.contract import Backend, Guest, GuestSpec
from lpharness.guests.slowness import slowness
from lpharness.results.folder import TrialFolder
from lpharness.results.model import Build, CheckResult, Provenance, Trial, TrialId, Verdict
from lpharness.selftest.build import Bundle
from lpharness.timeline.events import (
    GuestStarted,
    Note,
    Phase,
    SelftestEnded,
    SelftestSaid,
)
from lpharness.timeline.recorder import Recorder
from lpharness.trial.keeper import (
    Keeper,
    OnPhase,
    complete,
    post_mortem,
    provenance_of,
    start_guest,
)

_PLACE = "/run/selftests"
_KILL = 9
_TAINTS = 32768 | 4096 | 8192 | 1 << 18
"""What its modules may add: livepatch, out of tree, unsigned, in-kernel test."""
_PROVOKED = ("livepatch-refused", "livepatch-failed")
"""What the tests make the kernel say on purpose, and hold against what they expect."""

OnTest = Callable[[TrialId, str, Verdict], None]


class SelftestPlan(Struct, frozen=True, kw_only=True):
    """Everything that running a test program needs; all of it built and fetched."""

    id: TrialId
    selftest: Selftest
    spec: GuestSpec
    bundle: Bundle
    build: Build | None = None
    fresh: bool = False
    timeout_s: float = 300.0
    """How long the program may take on a quick machine; ten times as long under emulation."""


def run_selftest(
    plan: SelftestPlan,
    backend: Backend,
    folder: TrialFolder,
    on_phase: OnPhase = lambda *_: None,
    on_test: OnTest = lambda *_: None,
) -> Trial:
    """Run a test program once and return the judged trial; what a guest does never raises.

    Raises:
        LpharnessError: for what leaves nothing to judge, such as a folder that can't be written.
    """
    began = time.monotonic()
    case = _as_case(plan.selftest)
    trial = folder.begin(
        plan.id,
        Phase.BOOT,
        _provenance(plan, backend),
        plan.build,
        prepare=lambda path: save_context(path, case, (), plan.selftest),
    )
    with folder.timeline_path.open("wb") as file:
        recorder = Recorder(file)
        keeper = Keeper(trial, folder, recorder, on_phase)
        trouble = _tell(plan, backend, folder, recorder, keeper, on_test)
        keeper.enter(Phase.END)
    trial.checks = _judge(plan, case, folder, recorder, trouble)
    trial.verdict, trial.reason = overall(trial.checks, case)
    trial.seconds = time.monotonic() - began
    trial.finished = True
    folder.write(trial)
    return trial


def _as_case(selftest: Selftest) -> Case:
    """Return what the common checks need to know: a case without a module of ours."""
    return Case(
        title=f"the kernel's own {selftest.name}",
        modules=(),
        name=selftest.name,
        expect=Expect(taint=_TAINTS, console=_PROVOKED),
    )


def _tell(
    plan: SelftestPlan,
    backend: Backend,
    folder: TrialFolder,
    recorder: Recorder,
    keeper: Keeper,
    on_test: OnTest,
) -> str:
    """Run it; return what went wrong beside the kernel, or nothing."""
    guest: Guest | None = None
    keeper.enter(Phase.BOOT)
    with ExitStack() as stack:
        try:
            guest = stack.enter_context(
                start_guest(backend, plan.spec, folder, recorder, fresh=plan.fresh)
            )
            complete(keeper.trial.provenance, guest)
            story = _Story(plan, guest, recorder, keeper, on_test)
            stack.callback(story.close)
            story.tell()
        except LpharnessError as error:
            recorder.add(Note(host_ns=recorder.now(), text=str(error)))
            if guest is None or not isinstance(error, GuestError):
                return str(error)
            return post_mortem(error, guest, recorder)
    return ""


class _Story:
    """One guest and one program: what is before, the program, what is after."""

    def __init__(
        self,
        plan: SelftestPlan,
        guest: Guest,
        recorder: Recorder,
        keeper: Keeper,
        on_test: OnTest,
    ) -> None:
        self._plan = plan
        self._guest = guest
        self._recorder = recorder
        self._enter = keeper.enter
        self._slowness = slowness(guest)
        self._monitor = MonitorListener(guest, recorder)
        self._console = ConsoleListener(guest, recorder)
        self._observer = Observer(guest, recorder, plan.spec.kernel)
        self._output = _Output(plan, recorder, on_test)

    def close(self) -> None:
        """Take the last words of the console and the monitor."""
        self._monitor.close()
        self._console.close()

    def tell(self) -> None:
        self._prepare()
        self._enter(Phase.BASELINE)
        witness = Witness(self._guest, self._soon())
        self._observer.vitals(witness, self._soon())
        self._enter(Phase.SELFTEST)
        self._run()
        self._enter(Phase.AFTER)
        self._observer.vitals(witness, self._soon())
        self._observer.clock(self._soon())
        witness.close(self._soon())

    def _prepare(self) -> None:
        """Unpack the tests where they can be run, their modules where modprobe finds them."""
        self._observer.clock(self._soon())
        transport = self._guest.transport
        transport.run(["mkdir", "-p", _PLACE], deadline=self._soon())
        transport.put(self._plan.bundle.archive, f"{_PLACE}/tests.tar", deadline=self._soon(20))
        unpacked = transport.run(
            f"cd {_PLACE} && tar xf tests.tar && rm tests.tar || exit; [ -d modules ] || exit 0; "
            'mv modules "/lib/modules/$(uname -r)/updates" && depmod',
            deadline=self._soon(20),
        )
        if unpacked.exit_status:
            said = unpacked.stderr.decode(errors="replace").strip()
            raise GuestError(f"the tests could not be unpacked in the guest: {said[-300:]}")

    def _run(self) -> None:
        """Run the program by kselftest's own runner, and follow what it says to its end."""
        selftest, began = self._plan.selftest, time.monotonic()
        deadline = Deadline.after(self._plan.timeout_s * self._slowness)
        running = self._guest.transport.stream(
            ["bash", "-c", _command(selftest)],
            on_stdout=self._output.on_stdout,
            on_stderr=self._output.on_stderr,
            deadline=Deadline.never(),
        )
        try:
            result = running.wait(deadline)
        except DeadlineExpired:
            running.signal(_KILL)
            took = time.monotonic() - began
            self._ended(None, took, f"no end within {took:.0f} s")
        else:
            self._ended(result.exit_status, time.monotonic() - began, self._output.complaint)

    def _ended(self, exit_status: int | None, seconds: float, detail: str) -> None:
        self._output.close()
        self._recorder.add(
            SelftestEnded(
                host_ns=self._recorder.now(),
                exit_status=exit_status,
                seconds=seconds,
                detail=detail,
            )
        )

    def _soon(self, seconds: float = 4.0) -> Deadline:
        """Return a bound for a step that takes ``seconds`` at most on a quick machine."""
        return Deadline.after(seconds * self._slowness)


def _command(selftest: Selftest) -> str:
    """Return the shell command that runs one program as ``run_kselftest.sh`` does.

    The runner opens ``/dev/stdout``, which it may do with a pipe and not with a socket. From 6.9 on
    the tests skip themselves unless there is a folder to build their modules in (``has_kdir``);
    theirs are built, so any folder will do.
    """
    return (
        f"export BASE_DIR={_PLACE} KDIR={_PLACE}; . {_PLACE}/kselftest/runner.sh; "
        f"cd {_PLACE}/{shlex.quote(selftest.collection)} && "
        f"run_many {shlex.quote(selftest.program)} 2>&1 | cat"
    )


class _Output:
    """The runner's output, line by line into the timeline; says when a test is through."""

    def __init__(self, plan: SelftestPlan, recorder: Recorder, on_test: OnTest) -> None:
        self._plan = plan
        self._recorder = recorder
        self._on_test = on_test
        self._lock = threading.Lock()
        self._partial = b""
        self._lines: list[str] = []
        self._errors = b""
        self._told: set[str] = set()

    @property
    def complaint(self) -> str:
        """What it wrote to its standard error last."""
        return self._errors.decode(errors="replace").strip()[-500:]

    def on_stdout(self, data: bytes) -> None:
        with self._lock:
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in lines:
                self._on_line(line)

    def on_stderr(self, data: bytes) -> None:
        self._errors = (self._errors + data)[-4096:]

    def close(self) -> None:
        """Take what came of a line that never ended."""
        with self._lock:
            if self._partial:
                self._on_line(self._partial)
                self._partial = b""

    def _on_line(self, line: bytes) -> None:
        text = line.decode(errors="replace")
        self._lines.append(text)
        self._recorder.add(SelftestSaid(host_ns=self._recorder.now(), line=text))
        for test in read_tests(self._lines, self._plan.selftest, "not yet"):
            if test.verdict is not Verdict.ERROR and test.name not in self._told:
                self._told.add(test.name)
                self._on_test(self._plan.id, test.name, test.verdict)


def _judge(
    plan: SelftestPlan, case: Case, folder: TrialFolder, recorder: Recorder, trouble: str
) -> tuple[CheckResult, ...]:
    accelerator = next((e.accelerator for e in recorder.events if isinstance(e, GuestStarted)), "")
    results = judge(
        Recording(
            id=plan.id,
            case=case,
            functions=(),
            events=recorder.events,
            console=folder.console(),
            accelerator=accelerator,
            selftest=plan.selftest,
        )
    )
    if not trouble:
        return results
    return (CheckResult(check="harness", verdict=Verdict.ERROR, summary=trouble), *results)


def _provenance(plan: SelftestPlan, backend: Backend) -> Provenance:
    return msgspec.structs.replace(
        provenance_of(plan.spec, backend),
        modules=plan.bundle.modules,
        compiler=plan.bundle.compiler,
    )
