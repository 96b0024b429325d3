"""The doctor on this machine, which can run the other tests of this folder."""

from guest_support import KERNEL, spec

from lpharness.guests.doctor import Doctor


def test_this_machine_is_well():
    spec()  # skips where it is not
    found = {finding.name: finding for finding in Doctor(KERNEL).examine()}
    assert [name for name, finding in found.items() if finding.quality == "bad"] == []
    assert found["boot"].quality == "ok"
    assert found["restore"].quality == "ok"
    assert spec().kernel.release in found["boot"].detail
