"""The domain's description and the connection's words, without a daemon."""

from xml.etree import ElementTree

import pytest

from lpharness.base.errors import HostError
from lpharness.guests.libvirt_connection import is_local
from lpharness.guests.libvirt_domain import DomainShape, domain_xml, forwarded_port

QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"


def shape(**changes):
    fields = {
        "name": "guest",
        "kernel": "/k",
        "initramfs": "/i",
        "command_line": 'console=ttyS0 a="b<c>&d\'"',
        "cpus": 2,
        "memory_mb": 512,
        "accelerator": "tcg",
        "network": True,
    }
    return DomainShape(**{**fields, **changes})


def parsed(**changes):
    return ElementTree.fromstring(domain_xml(shape(**changes)))


def arguments(domain):
    return [argument.get("value") for argument in domain.iterfind(f"{QEMU}commandline/{QEMU}arg")]


@pytest.mark.parametrize(("accelerator", "kind"), [("tcg", "qemu"), ("kvm", "kvm")])
def test_the_accelerator_is_the_domains_type(accelerator, kind):
    assert parsed(accelerator=accelerator).get("type") == kind


def test_text_of_any_kind_survives():
    assert parsed().findtext("os/cmdline") == shape().command_line
    assert parsed(kernel="/a b/<&>").findtext("os/kernel") == "/a b/<&>"


def test_a_guest_is_never_booted_twice():
    domain = parsed()
    assert domain.findtext("on_reboot") == "destroy"
    assert domain.findtext("on_poweroff") == "destroy"
    assert domain.findtext("on_crash") == "preserve"


def test_the_network_has_no_way_out():
    words = arguments(parsed())
    netdev = words[words.index("-netdev") + 1]
    assert "restrict=on" in netdev
    assert "hostfwd=tcp:127.0.0.1:0-:22" in netdev
    assert parsed().find("devices/interface") is None


def test_no_network():
    assert "-netdev" not in arguments(parsed(network=False))


def test_files_keep_their_owners_where_qemu_runs_as_the_caller():
    label = parsed(run_as=(1000, 100)).find("seclabel")
    assert label.attrib == {"type": "static", "model": "dac", "relabel": "no"}
    assert label.findtext("label") == "+1000:+100"
    assert parsed().find("seclabel") is None


def test_no_device_that_was_not_asked_for():
    devices = [device.tag for device in parsed().find("devices")]
    assert sorted(devices) == [
        "channel",
        "console",
        "controller",
        "memballoon",
        "rng",
        "serial",
        "watchdog",
    ]


def test_the_console_is_carried_by_libvirt_or_reached_at_a_socket():
    assert parsed().find("devices/serial").get("type") == "pty"
    serial = parsed(console="/run/c").find("devices/serial")
    assert serial.get("type") == "unix"
    assert serial.find("source").attrib == {"mode": "bind", "path": "/run/c"}


@pytest.mark.parametrize(
    ("uri", "local"),
    [
        ("qemu:///session", True),
        ("qemu:///system", True),
        ("qemu://host/system", False),
        ("qemu+ssh://user@host/system", False),
        ("qemu+tcp://127.0.0.1:16509/session", False),
        ("qemu+unix:///session?socket=/run/s", False),
    ],
)
def test_local_means_that_qemu_sees_our_files(uri, local):
    assert is_local(uri) is local


def test_forwarded_port():
    table = (
        "Hub -1 (lphnet):\r\n"
        "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n"
        "  TCP[ESTABLISHED]   31  127.0.0.1  40001  10.0.2.15  22\r\n"
        "  TCP[HOST_FORWARD]  18  127.0.0.1  34567  10.0.2.15  22 0 0\r\n"
    )
    assert forwarded_port(table) == 34567
    with pytest.raises(HostError, match="forwards no port"):
        forwarded_port("")
