"""The columns of a simulated machine's tables."""

from __future__ import annotations

# --- of a context; what each event of a task needs lies together, behind what few need
GROUP = 0
MOVED_AT = 1
BLOCKED_AT = 2  # the try at which it was last in the way; 0 for never
SAW_NEW = 3  # whether an earlier syscall or round called the version to which tasks move
VERSION = 4  # which it calls where a model goes by context; the kernel's patch_state
WAKE_AT, STATE, IN_KERNEL = range(5, 8)
HOME = 8  # its CPU
NEXT = 9  # who is behind it in its CPU's queue; -1 for nobody
PC, LEFT, KIND = range(10, 13)
SEED1, SEED2 = 13, 14
SEEN = 15  # versions called since it entered the kernel, or began its round: bit 0 old, bit 1 new
DEPTH = 16
FRAMES = 17  # the first of its stack's columns, outermost first

# --- of a CPU
CURRENT, HEAD, TAIL, PIECE, USED, PARKED_AT, STOP_WANTED, STOLEN_UNTIL, IRQ_END = range(9)
END = 9  # when the current task's piece of work is done
ARMED = 10  # whether a CPU_END event is under way: it comes no later than END
IRQ_VERSION = 11  # kGraft's universe of interrupts
CPU_FIELDS = 12

# --- of a step of a program, a function, an event
OP, ARG, JUMP = range(3)
IN_PATCH, FUNCTION_VERSION = range(2)  # the latter where a model redirects function by function
TIME, KEY, WHO = range(3)
LINK = 3  # of an event in the wheel: the next in its slot; -1 for none
EVENT_FIELDS = 4
