/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lph_models: consistency models beside the kernel's own, for the same livepatch modules.
 *
 * A livepatch whose import of klp_enable_patch() is renamed to lph_enable_patch() is taken by this
 * module: core.c finds its functions, redirects them through ftrace and tells of it in sysfs as the
 * kernel does; when which task goes over is up to the one model that is linked in.
 */
#ifndef LPH_CORE_H
#define LPH_CORE_H

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/sched.h>

enum lph_version { LPH_OLD = 0, LPH_NEW = 1 };

struct lph_func {
	struct ftrace_ops ops;
	const struct klp_func *klp;
	unsigned long old, old_size, new, new_size;
	bool redirected;
};

struct lph_patch {
	struct klp_patch *klp;
	struct kobject *folder;		/* /sys/kernel/lph_models/NAME */
	struct kobject **below;		/* those of its objects and functions */
	unsigned int below_count;
	unsigned int count;
	struct lph_func funcs[];
};

/* The one model of this module: a file of its own defines it. */
struct lph_model {
	const char *name;

	/* Whether a call runs the new code. Asked in any context, with preemption disabled. */
	bool (*calls_new)(void);

	/*
	 * Bring everybody to lph_target(), in the module's own thread, which may sleep. Returns 0 when
	 * everybody is there (wherever it lies by then: see lph_reverse_transition()), or an error when
	 * it is given up and everybody is where they were.
	 */
	int (*move)(struct lph_patch *patch);

	bool by_function;	/* what switches is a function: move() redirects them itself */
	bool pins_module;	/* nobody knows when the new code is left: its module stays for ever */
};

extern const struct lph_model lph_model;

/* --- core.c: the patch, and its way from one version to the other ------------------------------ */

/* Where the transition that runs leads to. */
enum lph_version lph_target(void);

/* The version that everybody runs who is in no transition of his own. */
enum lph_version lph_current_version(void);
void lph_set_version(enum lph_version version);

/* Sleep; returns true, at once, when somebody asks for the way back. */
bool lph_wait(unsigned int ms);

/*
 * The steps of a transition. The harness puts probes on them and on the model's own
 * lph_try_complete_transition(): none may be drawn into its caller.
 */
void lph_init_transition(struct lph_patch *patch, int target);
void lph_start_transition(void);
void lph_reverse_transition(void);	/* from now on it leads back to where it came from */
void lph_abandon_transition(int error);
void lph_complete_transition(struct lph_patch *patch);

int lph_enable_patch(struct klp_patch *klp);

int lph_redirect(struct lph_func *func);
void lph_give_back(struct lph_func *func);

/* The function of the patch that is to be left and that an address lies in, or NULL. */
const struct lph_func *lph_leaving(const struct lph_patch *patch, unsigned long address);

/* --- kernel.c: what the kernel has and does not export ------------------------------------------ */

struct lph_kernel {
	struct module *(*find_module)(const char *name);
	int (*find_object_symbol)(const char *object, const char *name, unsigned long position,
				  unsigned long *address);
	int (*lookup_size_offset)(unsigned long address, unsigned long *size, unsigned long *offset);
	int (*apply_section_relocs)(struct module *mod, Elf_Shdr *headers, const char *names,
				    const char *strings, unsigned int symbols, unsigned int section,
				    const char *object);
	unsigned int (*save_stack)(struct task_struct *task, unsigned long *store, unsigned int size,
				   unsigned int skip);
	int (*save_stack_reliable)(struct task_struct *task, unsigned long *store, unsigned int size);
	int (*task_call)(struct task_struct *task, int (*function)(struct task_struct *, void *),
			 void *data);
	int (*wake_up_state)(struct task_struct *task, unsigned int state);
	void (*wake_up_if_idle)(int cpu);
	struct task_struct *(*idle_task)(int cpu);
	int (*on_each_cpu)(void (*function)(struct work_struct *));
	rwlock_t *tasklist_lock;
	struct mutex *klp_mutex;
	int *klp_target_state;
	void *const *klp_transition_patch;
	unsigned long klp_update_patch_state;
	unsigned long kthread_should_stop;
};

extern struct lph_kernel lph_kernel;

int lph_find_kernel(void);
unsigned long lph_lookup(const char *name);

/* --- tell.c: what happened, in /proc/lph_models ------------------------------------------------- */

#define LPH_MOST_BLOCKERS 8
#define LPH_MOST_FRAMES 24

struct lph_blocker {
	pid_t pid;
	char comm[TASK_COMM_LEN];
	char state;
	bool kthread;
	char why[64];			/* a function of the patch, or what else */
	unsigned int frames;
	unsigned long stack[LPH_MOST_FRAMES];
};

/* One look at all tasks. Times are CLOCK_BOOTTIME. */
struct lph_attempt {
	enum lph_version target;
	u64 began, ended;
	u64 stop_began, stop_ended;	/* while all other CPUs stood still; 0 where none had to */
	unsigned int tasks, frames, blocked, kept;
	struct lph_blocker blockers[LPH_MOST_BLOCKERS];
};

struct lph_attempt *lph_new_attempt(void);
void lph_note_blocker(struct lph_attempt *attempt, struct task_struct *task, const char *why);
void lph_note_move(struct task_struct *task, const char *where);
void lph_forget(void);

int lph_tell_begin(void);
void lph_tell_end(void);

#endif
