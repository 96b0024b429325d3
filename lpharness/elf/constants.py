"""The numbers of the ELF specification that relocatable objects use.

Source: the System V gABI (ELF header, sections, symbols, groups), the kernel's
``include/uapi/linux/elf.h`` (`SHN_LIVEPATCH`, `SHF_RELA_LIVEPATCH`) and the GNU extensions.
"""

from __future__ import annotations

from typing import Final

MAGIC: Final = b"\x7fELF"

CLASS_32: Final = 1
CLASS_64: Final = 2
DATA_LITTLE: Final = 1
DATA_BIG: Final = 2

ET_REL: Final = 1

EM_386: Final = 3
EM_MIPS: Final = 8
EM_PPC64: Final = 21
EM_S390: Final = 22
EM_ARM: Final = 40
EM_X86_64: Final = 62
EM_AARCH64: Final = 183
EM_RISCV: Final = 243
EM_LOONGARCH: Final = 258

MACHINE_NAMES: Final = {
    EM_386: "i386",
    EM_MIPS: "mips",
    EM_PPC64: "ppc64",
    EM_S390: "s390x",
    EM_ARM: "arm",
    EM_X86_64: "x86-64",
    EM_AARCH64: "aarch64",
    EM_RISCV: "riscv",
    EM_LOONGARCH: "loongarch",
}

SHT_NULL: Final = 0
SHT_PROGBITS: Final = 1
SHT_SYMTAB: Final = 2
SHT_STRTAB: Final = 3
SHT_RELA: Final = 4
SHT_NOTE: Final = 7
SHT_NOBITS: Final = 8
SHT_REL: Final = 9
SHT_GROUP: Final = 17
SHT_SYMTAB_SHNDX: Final = 18
SHT_CREL: Final = 0x40000014
SHT_LLVM_ADDRSIG: Final = 0x6FFF4C03

SHF_WRITE: Final = 0x1
SHF_ALLOC: Final = 0x2
SHF_EXECINSTR: Final = 0x4
SHF_MERGE: Final = 0x10
SHF_STRINGS: Final = 0x20
SHF_INFO_LINK: Final = 0x40
SHF_LINK_ORDER: Final = 0x80
SHF_GROUP: Final = 0x200
SHF_RELA_LIVEPATCH: Final = 0x00100000

SHN_UNDEF: Final = 0
SHN_LORESERVE: Final = 0xFF00
SHN_LIVEPATCH: Final = 0xFF20
SHN_ABS: Final = 0xFFF1
SHN_COMMON: Final = 0xFFF2
SHN_XINDEX: Final = 0xFFFF

GRP_COMDAT: Final = 1

STB_LOCAL: Final = 0
STB_GLOBAL: Final = 1
STB_WEAK: Final = 2

STT_NOTYPE: Final = 0
STT_OBJECT: Final = 1
STT_FUNC: Final = 2
STT_SECTION: Final = 3
STT_FILE: Final = 4
