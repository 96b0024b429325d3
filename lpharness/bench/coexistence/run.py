"""The matrix of tracers and orders on some kernels: a guest for each tracer, all orders in it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from lpharness.base.architecture import require_everything
from lpharness.base.cache import Cache
from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError, LpharnessError
from lpharness.base.hashing import identity, sha256_file
from lpharness.base.progress import SILENT, Progress
from lpharness.bench.coexistence.model import ORDERS, Act, Met, Order, Outcome, Step, Tracer
from lpharness.bench.coexistence.scene import Cast, Scene
from lpharness.cases import load
from lpharness.console import Classifier, Finding
from lpharness.engine import kbuild
from lpharness.engine.build import build_module
from lpharness.engine.compiler import find_compiler
from lpharness.engine.guest_image import guest_image
from lpharness.guests import backend
from lpharness.guests.contract import Backend, Guest, GuestSpec
from lpharness.images.programs import compile_program
from lpharness.kernels import resolve, with_headers
from lpharness.kernels.model import Kernel

_CASE = "cmdline"
_PROBE = Path(__file__).with_name("lph_probe.c")
_START_S = 180.0
_HARMLESS = ("expected", "odd")
_OF_A_REFUSAL = ("livepatch-refused", "livepatch-failed")


def measure(
    kernels: Sequence[str],
    tracers: Sequence[Tracer],
    orders: Sequence[Order] = ORDERS,
    progress: Progress = SILENT,
) -> list[Outcome]:
    """Let each tracer and the patch meet in each order on each kernel.

    Raises:
        InputError: there is no such kernel, or it cannot be built for.
        HostError: the archive, compiler or disk did not do its part.
    """
    outcomes: list[Outcome] = []
    for name in kernels:
        kernel = with_headers(resolve(name, progress=progress), progress=progress)
        cast = _cast(kernel, progress)
        spec = GuestSpec(kernel=kernel, image=guest_image("minimal", kernel, progress=progress))
        for tracer in tracers:
            with progress.step(f"{tracer.title} on {kernel.release}"):
                outcomes += _meetings(backend(), spec, cast, tracer, orders)
    return outcomes


def _cast(kernel: Kernel, progress: Progress) -> Cast:
    require_everything(kernel.arch, "coexistence with tracers")
    case = load(_CASE)
    (source,) = case.modules
    return Cast(
        case=case,
        module=build_module(case, source, kernel, progress=progress),
        probe=_probe_module(kernel),
        bpfcount=compile_program("bpfcount"),
    )


def _probe_module(kernel: Kernel) -> Path:
    """Return the module with the kprobes, built once for the same content."""
    compiler = find_compiler(kernel)
    key = identity(kbuild.RECIPE, kernel.identity, compiler.version, sha256_file(_PROBE))

    def build(folder: Path) -> None:
        assert kernel.headers is not None
        work = folder / "work"
        work.mkdir()
        (module,) = kbuild.compile_modules(
            sources=[_PROBE], headers=kernel.headers, compiler=compiler, folder=work
        )
        module.rename(folder / module.name)
        shutil.rmtree(work)

    return Cache().get("modules", f"probe-{key}", build) / f"{_PROBE.stem}.ko"


def _meetings(
    maker: Backend, spec: GuestSpec, cast: Cast, tracer: Tracer, orders: Sequence[Order]
) -> list[Outcome]:
    """Let them meet in each order, in one guest as long as it is as it was at its start."""
    outcomes: list[Outcome] = []
    while len(outcomes) < len(orders):
        rest = orders[len(outcomes) :]
        with ExitStack() as stack:
            try:
                guest = stack.enter_context(maker.start(spec, deadline=Deadline.after(_START_S)))
                scene = Scene(guest, cast)
            except LpharnessError as error:
                unknown = [_unknown(spec, tracer, order, str(error)) for order in rest]
                return [*outcomes, *unknown]
            for order in rest:
                outcomes.append(_meeting(guest, scene, spec, tracer, order))
                if outcomes[-1].met in (Met.WRONG, Met.UNKNOWN):
                    break  # nobody knows what is left behind in that guest
            else:
                scene.close()
    return outcomes


def _meeting(guest: Guest, scene: Scene, spec: GuestSpec, tracer: Tracer, order: Order) -> Outcome:
    steps: list[Step] = []
    lines, later = len(guest.console), ""
    try:
        for act in order.acts:
            if _makes_sense(act, scene):
                steps.append(scene.act(act, tracer))  # noqa: PERF401 — kept if the next one raises
        if refused := next((step for step in steps if step.refused), None):
            later = _again(scene, tracer, refused.act)
    except GuestError as error:
        return msgspec.structs.replace(
            _unknown(spec, tracer, order, str(error)), steps=tuple(steps)
        )
    found = _findings(guest, lines, allowed=_OF_A_REFUSAL if later else ())
    met, summary = _judge(steps, later, found)
    return Outcome(
        kernel=spec.kernel.release,
        tracer=tracer.name,
        order=order.name,
        met=met,
        summary=summary,
        steps=tuple(steps),
        later=later,
        console=tuple(f"{finding.name}: {finding.text}" for finding in found),
    )


def _makes_sense(act: Act, scene: Scene) -> bool:
    """Tell whether there is something to be taken off: what was refused is not there."""
    there = {Act.TRACER_OFF: scene.tracing, Act.PATCH_OFF: scene.patched}
    return there.get(act, True)


def _again(scene: Scene, tracer: Tracer, refused: Act) -> str:
    """Try what was refused again, alone; return what came of it."""
    on = scene.act(refused, tracer)
    if on.refused:
        return f"refused alone as well: {on.refused}"
    off = scene.act(Act.PATCH_OFF if refused is Act.PATCH_ON else Act.TRACER_OFF, tracer)
    wrong = (*on.wrong, *off.wrong)
    return wrong[0] if wrong else "works alone"


def _judge(steps: Sequence[Step], later: str, found: Sequence[Finding]) -> tuple[Met, str]:
    wrong = [f"after {step.act}: {text}" for step in steps for text in step.wrong]
    wrong += [f"console: {finding.text}" for finding in found]
    if later and later != "works alone":
        wrong.append(f"what was refused: {later}")
    if wrong:
        return Met.WRONG, wrong[0]
    if refused := next((step for step in steps if step.refused), None):
        return Met.REFUSED, f"{refused.act}: {refused.refused}"
    return Met.WORKS, "redirected and counted at each step"


def _findings(guest: Guest, lines: int, allowed: Sequence[str]) -> list[Finding]:
    """Return what the console showed since a line that does not belong to a healthy life."""
    classifier = Classifier()
    found: list[Finding] = []
    for line in guest.console[lines:]:
        found += classifier.feed(line.text.encode() + b"\n")
    found += classifier.finish()
    return [f for f in found if f.severity not in _HARMLESS and f.name not in allowed]


def _unknown(spec: GuestSpec, tracer: Tracer, order: Order, why: str) -> Outcome:
    return Outcome(
        kernel=spec.kernel.release,
        tracer=tracer.name,
        order=order.name,
        met=Met.UNKNOWN,
        summary=why,
    )
