"""What every builder of livepatch modules must do; a builder's tests inherit the class."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.engine.builders import Builder, Order
from lpharness.engine.emit import NoChange
from lpharness.engine.module import Module
from lpharness.kernels.model import Kernel
from lpharness.sources.prepare import prepare_tree
from lpharness.sources.unified import unified_diff

CMDLINE = "fs/proc/cmdline.c"
NAME = "lph_contract"


def source(kernel: Kernel, path: str) -> str:
    content = prepare_tree(kernel).read(path)
    assert content is not None
    return content.decode()


def edited(kernel: Kernel, path: str, old: str, new: str) -> str:
    """Return the diff that replaces the first place where a text stands."""
    before = source(kernel, path)
    assert old in before
    return unified_diff(path, before, before.replace(old, new, 1))


class BuilderContract:
    """Inherit it, and override the fixtures ``builder`` and ``kernel``."""

    takes_diffs = True

    @pytest.fixture
    def builder(self) -> Builder:
        raise NotImplementedError

    @pytest.fixture
    def kernel(self) -> Kernel:
        raise NotImplementedError

    @pytest.fixture
    def diff(self, kernel: Kernel) -> str:
        """Let /proc/cmdline begin with other words."""
        text = source(kernel, CMDLINE)
        call = next(line for line in text.splitlines() if line.startswith("\tseq_put"))
        return edited(kernel, CMDLINE, call, f'\tseq_puts(m, "by a builder: ");\n{call}')

    @pytest.fixture
    def module(self, builder: Builder, kernel: Kernel, diff: str) -> Module:
        return builder.build(Order(kernel=kernel, name=NAME, diff=diff))

    def refused(self, builder: Builder, kernel: Kernel, diff: str, tmp_path: Path) -> InputError:
        """Return why a diff is refused, after asserting that nothing of the try is left."""
        if not self.takes_diffs:
            pytest.skip(f"{builder.name} takes no diffs")
        kept = Cache().root / "livepatches"
        before = sorted(kept.glob("*")) if kept.is_dir() else []
        with pytest.raises(InputError) as caught:
            builder.build(Order(kernel=kernel, name=NAME, diff=diff))
        assert "\n" not in caught.value.message
        assert (sorted(kept.glob("*")) if kept.is_dir() else []) == before
        return caught.value

    def test_the_module_is_what_was_asked_for(
        self, builder: Builder, kernel: Kernel, module: Module
    ) -> None:
        assert (module.name, module.builder) == (NAME, builder.name)
        livepatch = module.inspection.livepatch
        assert (livepatch.name, livepatch.marked, livepatch.enables) == (NAME, True, True)
        assert [(f.object, f.old) for f in livepatch.functions] == [
            ("vmlinux", "cmdline_proc_show")
        ]
        assert livepatch.functions[0].new
        assert livepatch.vermagic.split()[0] == kernel.release

    def test_it_fits_the_kernel(self, kernel: Kernel, module: Module) -> None:
        assert module.inspection.kernel == kernel.release
        assert module.inspection.problems == ()

    def test_the_same_again_is_the_same_file(
        self, builder: Builder, kernel: Kernel, diff: str, module: Module
    ) -> None:
        again = builder.build(Order(kernel=kernel, name=NAME, diff=diff))
        assert again.cached
        assert (again.path, again.sha256) == (module.path, module.sha256)

    def test_a_diff_that_does_not_apply(
        self, builder: Builder, kernel: Kernel, diff: str, tmp_path: Path
    ) -> None:
        said = self.refused(builder, kernel, diff.replace("\n ", "\n x"), tmp_path)
        assert "does not apply" in said.message

    def test_a_diff_that_is_applied_already(
        self, builder: Builder, kernel: Kernel, tmp_path: Path
    ) -> None:
        text = source(kernel, CMDLINE)
        before = text.replace("\tseq_put", "\tseq_nothing(m);\n\tseq_put", 1)
        said = self.refused(builder, kernel, unified_diff(CMDLINE, before, text), tmp_path)
        assert "is in this kernel already" in said.message

    def test_a_diff_of_comments(self, builder: Builder, kernel: Kernel, tmp_path: Path) -> None:
        diff = edited(kernel, CMDLINE, "#include", "/* only words */\n#include")
        said = self.refused(builder, kernel, diff, tmp_path)
        assert isinstance(said, NoChange)

    def test_a_diff_that_leaves_the_tree(
        self, builder: Builder, kernel: Kernel, diff: str, tmp_path: Path
    ) -> None:
        said = self.refused(builder, kernel, diff.replace(CMDLINE, "../../etc/passwd"), tmp_path)
        assert "leaves the kernel tree" in said.message

    def test_a_diff_of_a_makefile(self, builder: Builder, kernel: Kernel, tmp_path: Path) -> None:
        diff = edited(kernel, "fs/proc/Makefile", "obj-y", "$(shell touch /tmp/owned)\nobj-y")
        said = self.refused(builder, kernel, diff, tmp_path)
        assert "changes how the kernel is built" in said.message

    def test_a_name_that_is_none(self, builder: Builder, kernel: Kernel, diff: str) -> None:
        if not self.takes_diffs:
            pytest.skip(f"{builder.name} names nothing")
        with pytest.raises(InputError, match="cannot be a module's name"):
            builder.build(Order(kernel=kernel, name="../x y", diff=diff))
