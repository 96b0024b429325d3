"""Where a target kernel comes from: Debian's archive, a build tree, plain files."""

from lpharness.kernels.model import Kernel, KernelOrigin
from lpharness.kernels.resolve import release_of, resolve, with_headers

__all__ = ["Kernel", "KernelOrigin", "release_of", "resolve", "with_headers"]
