/*
 * What the kernel's macros leave behind in an object, written for the object-pair tests: the same
 * sections with the same entry layouts (Linux 6.1 unless KERNEL_6_12 is defined), nothing else of
 * the kernel. Only the layouts are the kernel's; the code is our own.
 */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
#define NULL ((void *)0)
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define noinline __attribute__((noinline))
#define __cold __attribute__((cold))
#define __used __attribute__((used))
#define __section(name) __attribute__((section(name)))
#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* -- where code lies */
#define notrace __attribute__((no_instrument_function))
#define __init __section(".init.text") __cold notrace
#define __exit __section(".exit.text") __used __cold notrace
#define __sched __section(".sched.text")
#define __kprobes __section(".kprobes.text")
#define __cpuidle __section(".cpuidle.text")
#define noinstr noinline notrace __section(".noinstr.text")
#define __entry_text noinline notrace __section(".entry.text")

/* -- where data lies */
#define __initdata __section(".init.data")
#define __initconst __section(".init.rodata")
#define __read_mostly __section(".data..read_mostly")
#define __ro_after_init __section(".data..ro_after_init")
#define __percpu __section(".data..percpu")
#ifdef KERNEL_6_12
#define __once __section(".data..once")
#else
#define __once __section(".data.once")
#endif

/* -- functions of other objects that the tests call */
extern int helper(int);
extern int other_helper(int);
extern void consume(const void *);
extern int _printk(const char *fmt, ...) __cold;
extern void panic(const char *fmt, ...) __attribute__((noreturn, cold));
extern void __warn_printk(const char *fmt, ...) __cold;
extern void __might_sleep(const char *file, int line);
extern void lockdep_rcu_suspicious(const char *file, int line, const char *text);
extern int ___ratelimit(void *state, const char *func);
extern void lockdep_init_map(void *lock, const char *name, void *key);

#define might_sleep() __might_sleep(__FILE__, __LINE__)

/* -- BUG and WARN: struct bug_entry { s32 addr, file; u16 line, flags; } */
#define BUGFLAG_WARNING 1
#define BUGFLAG_ONCE 2
#define BUG_ENTRY(flags)                                                                        \
	asm volatile("1: .byte 0x0f, 0x0b\n"                                                    \
		     ".pushsection __bug_table, \"aw\"\n"                                       \
		     "2: .long 1b - 2b\n .long %c0 - .\n .word %c1\n .word %c2\n"              \
		     ".popsection\n"                                                            \
		     :: "i"(__FILE__), "i"(__LINE__), "i"(flags))
#define BUG()                                                                                   \
	do {                                                                                    \
		BUG_ENTRY(0);                                                                   \
		__builtin_unreachable();                                                        \
	} while (0)
#define BUG_ON(condition)                                                                       \
	do {                                                                                    \
		if (unlikely(condition))                                                        \
			BUG();                                                                  \
	} while (0)
#define WARN_ON(condition)                                                                      \
	({                                                                                      \
		int warned = !!(condition);                                                     \
		if (unlikely(warned))                                                           \
			BUG_ENTRY(BUGFLAG_WARNING);                                             \
		unlikely(warned);                                                               \
	})
#define WARN_ON_ONCE(condition)                                                                 \
	({                                                                                      \
		int warned = !!(condition);                                                     \
		if (unlikely(warned))                                                           \
			BUG_ENTRY(BUGFLAG_WARNING | BUGFLAG_ONCE);                              \
		unlikely(warned);                                                               \
	})
#define WARN_ONCE(condition, text)                                                              \
	({                                                                                      \
		static _Bool __once __already_done;                                             \
		if (unlikely(condition) && !__already_done) {                                   \
			__already_done = 1;                                                     \
			__warn_printk(text);                                                    \
		}                                                                               \
	})

/* -- static keys: struct jump_entry { s32 code, target; long key; } */
struct static_key {
	int enabled;
	void *entries;
};
static inline __attribute__((always_inline)) _Bool static_branch(struct static_key *key)
{
	asm goto("1: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
		 ".pushsection __jump_table, \"aw\"\n"
		 ".balign 8\n .long 1b - ., %l[on] - .\n .quad %c0 - .\n"
		 ".popsection\n"
		 :: "i"(key) :: on);
	return 0;
on:
	return 1;
}

/* -- alternatives: struct alt_instr; its cpuid has 16 bits in 6.1 and 32 in 6.12 */
#ifdef KERNEL_6_12
#define ALT_FEATURE ".4byte "
#else
#define ALT_FEATURE ".2byte "
#endif
#define ALTERNATIVE(old, new, feature)                                                          \
	"661: " old "\n662:\n"                                                                  \
	".pushsection .altinstructions, \"a\"\n"                                                \
	".long 661b - .\n .long 663f - .\n " ALT_FEATURE STRINGIFY(feature) "\n"                \
	".byte 662b - 661b\n .byte 664f - 663f\n"                                               \
	".popsection\n"                                                                         \
	".pushsection .altinstr_replacement, \"ax\"\n"                                          \
	"663: " new "\n664:\n"                                                                  \
	".popsection\n"

/* The slow way of static_cpu_has(): code in .altinstr_aux that comes back */
extern u32 boot_features[];
static inline __attribute__((always_inline)) _Bool cpu_has(u16 bit)
{
	asm goto("1: jmp 6f\n"
		 ".pushsection .altinstructions, \"a\"\n"
		 ".long 1b - .\n .long 0\n " ALT_FEATURE "%c0\n .byte 2\n .byte 0\n"
		 ".popsection\n"
		 ".pushsection .altinstr_aux, \"ax\"\n"
		 "6: testb %1, %2\n jnz %l[yes]\n jmp %l[no]\n"
		 ".popsection\n"
		 :: "i"(bit), "i"((u8)(1 << (bit & 7))), "m"(((u8 *)boot_features)[bit >> 3])
		 :: yes, no);
yes:
	return 1;
no:
	return 0;
}

/* -- .smp_locks: an s32 for each lock prefix */
#define LOCK_PREFIX                                                                             \
	".pushsection .smp_locks, \"a\"\n .balign 4\n .long 671f - .\n .popsection\n 671: lock; "
static inline __attribute__((always_inline)) void atomic_inc(int *value)
{
	asm volatile(LOCK_PREFIX "incl %0" : "+m"(*value));
}

/* -- .parainstructions: struct paravirt_patch_site { void *instr; u8 type, len; }, up to 6.7 */
extern void (*pv_operation)(void);
#define PARAVIRT_CALL(type)                                                                     \
	asm volatile("771: call *%c0(%%rip)\n 772:\n"                                           \
		     ".pushsection .parainstructions, \"a\"\n .balign 8\n"                      \
		     ".quad 771b\n .byte " STRINGIFY(type) "\n .byte 772b - 771b\n .balign 8\n" \
		     ".popsection\n" :: "i"(&pv_operation) : "memory", "rax", "rcx", "rdx")

/* -- exception table: struct exception_table_entry { s32 insn, fixup, data; } */
#define EXTABLE(from, to, type)                                                                 \
	".pushsection __ex_table, \"a\"\n .balign 4\n"                                          \
	".long " from " - .\n .long " to " - .\n .long " STRINGIFY(type) "\n"                   \
	".popsection\n"
static inline __attribute__((always_inline)) int get_user(int *to, const int *from)
{
	int error = 0;
	asm volatile("1: movl %2, %1\n2:\n" EXTABLE("1b", "2b", 0x0b03)
		     : "+r"(error), "=r"(*to) : "m"(*from));
	return error;
}

/* -- static calls */
struct static_call_key {
	void *func, *mods;
};
#define DECLARE_STATIC_CALL(name)                                                               \
	extern struct static_call_key __SCK__##name;                                            \
	extern void __SCT__##name(void)
#define static_call(name) __SCT__##name
#define DEFINE_STATIC_CALL(name, function)                                                      \
	struct static_call_key __SCK__##name = { .func = function };                            \
	asm(".pushsection .static_call.text, \"ax\"\n .balign 4\n .globl __SCT__" #name "\n"    \
	    "__SCT__" #name ":\n .byte 0xe9\n .long " #function " - (. + 4)\n"                  \
	    ".byte 0x0f, 0xb9, 0xcc\n"                                                          \
	    ".type __SCT__" #name ", @function\n .size __SCT__" #name ", . - __SCT__" #name "\n"\
	    ".popsection\n")

/* -- dynamic debug: struct _ddebug, with a static key at its end */
struct ddebug {
	const char *module, *function, *file, *format;
	u32 line : 18, class : 6, flags : 8;
	struct static_key key;
} __attribute__((aligned(8)));
extern void __dynamic_pr_debug(struct ddebug *descriptor, const char *fmt, ...);
#define pr_debug(text)                                                                          \
	do {                                                                                    \
		static struct ddebug __section("__dyndbg") descriptor = {                       \
			"unit", __func__, __FILE__, text, __LINE__, 63, 0                       \
		};                                                                              \
		if (static_branch(&descriptor.key))                                             \
			__dynamic_pr_debug(&descriptor, text);                                  \
	} while (0)

/* -- printk index: struct pi_entry, and a pointer to it */
struct pi_entry {
	const char *fmt, *func, *file;
	u32 line;
	const char *level, *prefix;
};
#define printk_indexed(text)                                                                    \
	do {                                                                                    \
		static const struct pi_entry _entry = { text, __func__, __FILE__, __LINE__ };   \
		static const struct pi_entry *_entry_ptr                                        \
			__used __section(".printk_index") = &_entry;                            \
		_printk(text);                                                                  \
	} while (0)

struct ratelimit {
	int interval, burst, printed;
};
#define ratelimited(text)                                                                       \
	do {                                                                                    \
		static struct ratelimit _rs = { 5000, 10 };                                     \
		if (___ratelimit(&_rs, __func__))                                               \
			_printk(text);                                                          \
	} while (0)

#define lock_init(lock)                                                                         \
	do {                                                                                    \
		static int __key[2];                                                            \
		lockdep_init_map(lock, #lock, __key);                                           \
	} while (0)

/* -- exports */
#ifdef KERNEL_6_12
#define EXPORT_SYMBOL(sym)                                                                      \
	asm(".pushsection .export_symbol, \"a\"\n __export_symbol_" #sym ":\n"                  \
	    ".asciz \"\"\n .asciz \"\"\n .balign 8\n .quad " #sym "\n .popsection\n")
#else
#define EXPORT_SYMBOL(sym)                                                                      \
	asm(".pushsection __ksymtab_strings, \"aMS\", @progbits, 1\n __kstrtab_" #sym ":\n"     \
	    ".asciz \"" #sym "\"\n __kstrtabns_" #sym ":\n .asciz \"\"\n .popsection\n"         \
	    ".pushsection ___ksymtab+" #sym ", \"a\"\n .balign 4\n __ksymtab_" #sym ":\n"       \
	    ".long " #sym " - .\n .long __kstrtab_" #sym " - .\n .long __kstrtabns_" #sym       \
	    " - .\n .popsection\n")
#endif

/* -- what is read at boot, or when a module is loaded */
#define MODULE_INFO(tag, text)                                                                  \
	static const char PASTE(__UNIQUE_ID_##tag, __COUNTER__)[]                               \
		__used __section(".modinfo") __attribute__((aligned(1))) = #tag "=" text
#define initcall(function)                                                                      \
	asm(".pushsection .initcall6.init, \"a\"\n"                                             \
	    "__initcall__kmod_unit__" STRINGIFY(__COUNTER__) "_" STRINGIFY(__LINE__)            \
	    "_" #function "6:\n .long " #function " - .\n .popsection\n")
struct kernel_param {
	const char *name;
	void *argument;
};
#define module_param(variable)                                                                  \
	static const struct kernel_param __param_##variable __used __section("__param") = {     \
		#variable, &variable                                                            \
	}
struct obs_kernel_param {
	const char *text;
	int (*setup)(char *);
};
#define __setup(text, function)                                                                 \
	static const struct obs_kernel_param __setup_##function                                 \
		__used __section(".init.setup") = { text, function }
#define BTF_ID(kind, name)                                                                      \
	asm(".pushsection .BTF_ids, \"a\"\n __BTF_ID__" #kind "__" #name "__"                    \
	    STRINGIFY(__LINE__) ":\n .zero 4\n .popsection\n")
#define ADDRESSABLE(symbol)                                                                     \
	static void *__used __section(".discard.addressable")                                   \
		PASTE(__UNIQUE_ID___addressable_##symbol, __COUNTER__) = (void *)&symbol

/* -- tracepoints */
struct tracepoint {
	const char *name;
	struct static_key key;
	void *funcs;
};
extern int __traceiter(void *data, int value);
#define DEFINE_TRACE(event)                                                                     \
	static const char __tpstrtab_##event[] __used __section("__tracepoints_strings") =      \
		#event;                                                                         \
	struct tracepoint __tracepoint_##event __used __section("__tracepoints") = {            \
		__tpstrtab_##event                                                              \
	};                                                                                      \
	asm(".pushsection __tracepoints_ptrs, \"a\"\n .balign 4\n"                              \
	    "__tracepoint_ptr_" #event ": .long __tracepoint_" #event " - .\n .popsection\n")
#define trace_event(event, value)                                                               \
	do {                                                                                    \
		if (static_branch(&__tracepoint_##event.key))                                   \
			__traceiter(__tracepoint_##event.funcs, value);                         \
	} while (0)
