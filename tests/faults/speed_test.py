from corpus_support import each_of, must_be_caught

from lpharness.bench.faults import Fault


@each_of("speed")
def test_is_caught(fault: Fault) -> None:
    must_be_caught(fault)
