"""The livepatches of ``modules/``, as the reference knows them."""

from __future__ import annotations

from lpharness.reference import ORIGINAL, ObjectSpec, PatchSpec

PAUSE = "pause"
"""Short for ``__x64_sys_pause``; the kernel has other names for it as well."""
TARGET, ANSWER, MISSING = "lph_target", "lph_target_answer", "lph_target_missing"
PAUSE_KEY, ANSWER_KEY, MISSING_KEY = ("vmlinux", PAUSE), (TARGET, ANSWER), (TARGET, MISSING)


def _kernel(*, callbacks: bool = False) -> ObjectSpec:
    return ObjectSpec(functions=(PAUSE,), callbacks=callbacks)


def _target(function: str = ANSWER, *, callbacks: bool = False) -> ObjectSpec:
    return ObjectSpec(name=TARGET, functions=(function,), callbacks=callbacks)


PATCHES = {
    spec.name: spec
    for spec in (
        PatchSpec(name="lph_a", objects=(_kernel(callbacks=True), _target(callbacks=True))),
        PatchSpec(name="lph_b", objects=(_kernel(),), states=((1, 1),)),
        PatchSpec(
            name="lph_c",
            objects=(_kernel(callbacks=True), _target(callbacks=True)),
            replace=True,
            states=((1, 2),),
        ),
        PatchSpec(name="lph_d", objects=(_target(callbacks=True),)),
        PatchSpec(name="lph_r", objects=(_target(),), replace=True),
        PatchSpec(name="lph_m", objects=(_target(MISSING),)),
    )
}
NUMBERS = {ORIGINAL: 0, **{name: at for at, name in enumerate(PATCHES, start=1)}}
"""What each version of a function answers."""
