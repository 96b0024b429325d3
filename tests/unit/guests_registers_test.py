"""Registers as QEMU tells them: only a guest in which nobody can be reached is called deaf."""

from lpharness.guests.registers import Cpu, deaf, parse

SAID = """
CPU#0
RAX=0000000000000000 RBX=ffff888003a4c000 RCX=0000000000000001 RDX=0000000000000000
R12=0000000000000000 R13=0000000000000000 R14=0000000000000000 R15=0000000000000000
RIP=ffffffffc03d2010 RFL=00000046 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0
ES =0000 0000000000000000 ffffffff 00c00000

CPU#1
RAX=0000000000000001 RBX=0000000000000000 RCX=0000000000000000 RDX=0000000000000000
RIP=ffffffff81c3e9ab RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
"""
DEAF, IDLE = Cpu(0, 0xFFFFFFFFC03D2010, False), Cpu(1, 0xFFFFFFFF81C3E9AB, True)


def test_what_qemu_says_is_read() -> None:
    assert parse(SAID) == [DEAF, IDLE]


def test_a_program_can_always_be_interrupted() -> None:
    (cpu,) = parse("CPU#0\nRIP=0000000000401000 RFL=00000046 [---Z-P-] CPL=3 II=0 HLT=0\n")
    assert cpu.hears


def test_what_is_not_understood_says_nothing() -> None:
    assert parse("info registers: no such command") == []
    assert parse("CPU#0\nnothing of use") == []


def test_all_cpus_must_be_deaf_at_every_look() -> None:
    both = [DEAF, Cpu(1, 0x10, False)]
    assert "CPU 0 at 0xffffffffc03d2010, CPU 1 at 0x10" in deaf([both] * 4)
    assert deaf([both, [DEAF, IDLE], both]) == ""
    assert deaf([both, []]) == ""
    assert deaf([]) == ""
