"""Looking at a guest's kernel without changing it: vitals, sysfs, ftrace, code bytes, symbols."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError
from lpharness.checks.contract import PatchedFunction
from lpharness.engine.registrar import LIVEPATCH, Registrar
from lpharness.engine.saying import said
from lpharness.engine.witness import Witness
from lpharness.guests.contract import Guest
from lpharness.kernels.model import Kernel
from lpharness.kernels.symbols import VMLINUX, load_symbols, save_symbols
from lpharness.kernels.traceable import load_traceable, save_traceable
from lpharness.timeline.events import (
    ClockRead,
    EnabledFunction,
    EnabledFunctions,
    FunctionBytes,
    ObjectState,
    PatchSysfs,
    ShadowVariables,
    Vitals,
)
from lpharness.timeline.recorder import Recorder

CODE_BYTES = 16
"""How much of a function's beginning is looked at: the ftrace site and what follows it."""

_HANDLER = re.compile(r"(?:\(|->)(\w+)\+0x")


class Place(Struct, frozen=True):
    """Where a function lies in this guest's kernel."""

    address: int
    code: bytes


class _VitalsSaid(Struct):
    t: int
    boot_id: str
    taint: int
    modules: tuple[str, ...]
    files: int
    tasks: int
    slab_kb: int | None = None
    witness: int | None = None


class _BytesSaid(Struct):
    address: str
    t: int
    errno: int
    hex: str


class _ShadowsSaid(Struct):
    t: int
    errno: int
    ids: tuple[str, ...]


class Observer:
    """Asks the guest's kernel, and records the answers."""

    def __init__(
        self,
        guest: Guest,
        recorder: Recorder,
        kernel: Kernel,
        registrar: Registrar = LIVEPATCH,
    ) -> None:
        self._guest = guest
        self._patches = registrar.folder
        self._recorder = recorder
        self._kernel = kernel
        self._shifted: int | None = None

    def clock(self, deadline: Deadline) -> None:
        """Tie the guest's clock to the host's, once more."""
        reading = self._guest.clock(deadline)
        self._recorder.add(
            ClockRead(
                host_ns=reading.host_ns - self._recorder.began_ns,
                guest_ns=reading.guest_ns,
                uncertainty_ns=reading.uncertainty_ns,
            )
        )

    def vitals(self, witness: Witness, deadline: Deadline) -> Vitals:
        """Record the signs of one unbroken life."""
        alive, detail = witness.connection(deadline)
        result = self._guest.transport.run(
            ["/lph/watch", "vitals", str(witness.pid)], deadline=deadline
        )
        told = said("vitals", result, _VitalsSaid)
        event = Vitals(
            host_ns=self._recorder.now(),
            guest_ns=told.t,
            boot_id=told.boot_id,
            uptime_ns=told.t,
            taint=told.taint,
            witness_pid=None if told.witness is None else witness.pid,
            witness_start_ticks=told.witness,
            connection_alive=alive,
            connection_detail=detail,
            modules=told.modules,
            files=told.files,
            tasks=told.tasks,
            slab_kb=told.slab_kb,
        )
        self._recorder.add(event)
        return event

    def patch(self, name: str, deadline: Deadline) -> PatchSysfs:
        """Record a patch's sysfs folder."""
        quoted = shlex.quote(name)
        script = (
            f"cd {self._patches}/{quoted} 2>/dev/null && for f in enabled transition; do "
            'read v < $f && echo "$f=$v"; done && for o in */; do [ -d "$o" ] || continue; '
            'p=; [ -r "$o/patched" ] && read p < "$o/patched"; echo "object=$o=$p"; '
            'for f in "$o"*/; do [ -d "$f" ] && echo "function=$f"; done; done; '
            f'read v < /sys/module/{quoted}/refcnt && echo "refcnt=$v"; true'
        )
        event = _parse_sysfs(
            name, self._guest.transport.run(script, deadline=deadline).text, self._recorder.now()
        )
        self._recorder.add(event)
        return event

    def enabled_functions(
        self, functions: Iterable[PatchedFunction], deadline: Deadline
    ) -> EnabledFunctions:
        """Record the lines of tracefs' ``enabled_functions`` that are about the old functions.

        A livepatch made of a source diff has new functions of the same names: the line says whose
        a function is.
        """
        wanted = {(function.old, function.object) for function in functions}
        text = self._guest.transport.get(
            "/sys/kernel/tracing/enabled_functions", deadline=deadline
        ).decode(errors="replace")
        event = EnabledFunctions(
            host_ns=self._recorder.now(),
            functions=tuple(
                _parse_enabled(line) for line in text.splitlines() if whose(line) in wanted
            ),
        )
        self._recorder.add(event)
        return event

    def places(
        self, functions: Sequence[PatchedFunction], deadline: Deadline
    ) -> dict[PatchedFunction, Place]:
        """Find where functions lie and what their first bytes are; record the bytes.

        Functions of modules that are not loaded are left out.
        """
        addresses = self._addresses(functions, deadline)
        if not addresses:
            return {}
        asked = [f"{address:x}:{CODE_BYTES}" for address in addresses.values()]
        result = self._guest.transport.run(["/lph/watch", "bytes", *asked], deadline=deadline)
        decoder = msgspec.json.Decoder(_BytesSaid)
        lines = [decoder.decode(line) for line in result.stdout.splitlines() if line]
        failure = result.stderr.decode(errors="replace").strip()
        places = {}
        for index, (function, address) in enumerate(addresses.items()):
            got = lines[index] if index < len(lines) else None
            self._recorder.add(
                FunctionBytes(
                    host_ns=self._recorder.now(),
                    guest_ns=got.t if got else None,
                    object=function.object,
                    function=function.old,
                    sympos=function.sympos,
                    hex=got.hex if got else "",
                    detail=failure if got is None else f"errno {got.errno}" if got.errno else "",
                )
            )
            if got and not got.errno:
                places[function] = Place(address, bytes.fromhex(got.hex))
        return places

    def shadows(self, deadline: Deadline) -> None:
        """Record the shadow variables that there are, where the kernel knows such."""
        table = load_symbols(self._kernel)
        addresses = table.addresses("klp_shadow_hash") if table else ()
        if not addresses:
            return
        address = addresses[0] + self._shift(deadline)
        result = self._guest.transport.run(
            ["/lph/watch", "shadows", f"{address:x}"], deadline=deadline
        )
        told = said("shadow variables", result, _ShadowsSaid)
        self._recorder.add(
            ShadowVariables(
                host_ns=self._recorder.now(),
                guest_ns=told.t,
                ids=told.ids,
                detail=f"errno {told.errno}" if told.errno else "",
            )
        )

    def ensure_symbols(self, deadline: Deadline) -> None:
        """Keep the guest's kallsyms and traceable functions beside its kernel, once."""
        if load_symbols(self._kernel) is None:
            kallsyms = self._guest.transport.get("/proc/kallsyms", deadline=deadline)
            save_symbols(self._kernel, kallsyms)
        if load_traceable(self._kernel) is None:
            path = "/sys/kernel/tracing/available_filter_functions"
            save_traceable(self._kernel, self._guest.transport.get(path, deadline=deadline))

    def _addresses(
        self, functions: Sequence[PatchedFunction], deadline: Deadline
    ) -> dict[PatchedFunction, int]:
        builtin = [f for f in functions if f.object == "vmlinux"]
        others = [f for f in functions if f.object != "vmlinux"]
        found: dict[PatchedFunction, int] = {}
        if builtin:
            found.update(self._builtin_addresses(builtin, deadline))
        if others:
            found.update(self._module_addresses(others, deadline))
        return found

    def _builtin_addresses(
        self, functions: Sequence[PatchedFunction], deadline: Deadline
    ) -> dict[PatchedFunction, int]:
        table = load_symbols(self._kernel)
        if table is None:
            raise GuestError(f"no symbols of {self._kernel.release} were saved")
        shift = self._shift(deadline)
        found = {}
        for function in functions:
            addresses = table.addresses(function.old)
            position = max(function.sympos, 1) - 1
            if position < len(addresses):
                found[function] = addresses[position] + shift
        return found

    def _shift(self, deadline: Deadline) -> int:
        """Return how far from the saved symbols this boot's KASLR has put the kernel.

        Reading the guest's whole kallsyms costs half a second under TCG; its ``_text`` comes early.
        """
        if self._shifted is None:
            table = load_symbols(self._kernel)
            assert table is not None
            here = self._guest.transport.run(
                "grep -m1 ' _text$' /proc/kallsyms", deadline=deadline
            ).text.split(" ")[0]
            self._shifted = int(here or "0", 16) - table.addresses("_text")[0]
        return self._shifted

    def _module_addresses(
        self, functions: Sequence[PatchedFunction], deadline: Deadline
    ) -> dict[PatchedFunction, int]:
        objects = "|".join(sorted({re.escape(f.object) for f in functions}))
        text = self._guest.transport.run(
            f"grep -E '\\[({objects})\\]$' /proc/kallsyms", deadline=deadline
        ).text
        found = {}
        for function in functions:
            line = re.compile(
                rf"^([0-9a-f]+) \w {re.escape(function.old)}\s+\[{re.escape(function.object)}\]$",
                re.MULTILINE,
            )
            addresses = [int(address, 16) for address in line.findall(text)]
            position = max(function.sympos, 1) - 1
            if position < len(addresses):
                found[function] = addresses[position]
        return found


def _parse_sysfs(name: str, text: str, host_ns: int) -> PatchSysfs:
    values: dict[str, str] = {}
    patched: dict[str, bool | None] = {}
    functions: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "object":
            folder, _, attribute = value.partition("=")
            patched[folder.rstrip("/")] = attribute == "1" if attribute else None
        elif key == "function":
            folder, _, function = value.rstrip("/").partition("/")
            functions.setdefault(folder, []).append(function)
        else:
            values[key] = value
    present = "enabled" in values
    return PatchSysfs(
        host_ns=host_ns,
        patch=name,
        present=present,
        enabled=values["enabled"] == "1" if present else None,
        transition=values.get("transition") == "1" if present else None,
        objects={
            folder: ObjectState(patched[folder], tuple(functions.get(folder, ())))
            for folder in patched
        },
        refcount=int(values["refcnt"]) if values.get("refcnt", "").isdigit() else None,
    )


def whose(line: str) -> tuple[str, str]:
    """Return the function and the object that a line of ``enabled_functions`` is about."""
    name, _, rest = line.partition(" ")
    return name, rest[1:].partition("]")[0] if rest.startswith("[") else VMLINUX


def _parse_enabled(line: str) -> EnabledFunction:
    """Parse ``name [module] (1)   I  tramp: 0x… (handler+0x0/0x110) ->handler+0x0/0x110``."""
    head, _, rest = line.partition("(")
    _, _, rest = rest.partition(")")
    flags = rest.split("tramp:")[0].split("->")[0]
    handlers = dict.fromkeys(_HANDLER.findall(rest))
    return EnabledFunction(
        name=head.split()[0],
        ip_modify="I" in flags.split(),
        handlers=tuple(handlers),
        line=" ".join(line.split()),
    )
