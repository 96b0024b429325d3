// SPDX-License-Identifier: GPL-2.0-only
/*
 * kGraft: mark every task, let it move when it passes the kernel's border; never stop anything.
 *
 * After kGraft as in SLE 12 (kernel/kgraft.c: kgr_handle_processes, kgr_stub_slow, kgr_task_safe,
 * kgr_work_fn). The mark is not in a table of ours but where the kernel itself keeps one that it
 * uses in its own transitions only: TIF_PATCH_PENDING, which the kernel clears for us exactly at its
 * border (exit_to_user_mode_loop, do_idle), where klp_update_patch_state() writes klp_target_state
 * into the task's patch_state, the version it runs. A fork inherits both. klp_mutex is held
 * meanwhile, so the kernel's own transitions wait.
 *
 * What is only near the original:
 * - kGraft cleared the mark on the way into the kernel as well;
 * - kernel threads were given safe points by hand. Here they move where they ask
 *   kthread_should_stop(), or where they sleep in nothing but the functions listed below;
 * - who sleeps in a system call is sent a signal that nobody sees, as later versions did
 *   (`nudge=0`: as the first did, which waited).
 */
#include "core.h"

#include <linux/cpu.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#define RECHECK_MS 2000
#define UNDEFINED (-1)	/* KLP_UNDEFINED, KLP_TRANSITION_IDLE */

static bool nudge = true;
module_param(nudge, bool, 0444);
MODULE_PARM_DESC(nudge, "wake who sleeps in a system call by a signal that nobody sees");

static bool in_transition;
static DEFINE_PER_CPU(int, universe);	/* the version that interrupts run */

static bool notrace kgraft_calls_new(void)
{
	if (!READ_ONCE(in_transition))
		return lph_current_version() == LPH_NEW;
	smp_rmb();	/* pairs with begin(): who sees the transition sees the marks */
	if (!in_task())
		return this_cpu_read(universe) == LPH_NEW;
	return READ_ONCE(current->patch_state) == LPH_NEW;
}

/* --- where a task is safe ----------------------------------------------------------------------- */

/* Where kernel threads and idle CPUs wait for work: what kGraft's authors marked by hand, as far as it shows. */
static const char *const waiting_places[] = {
	"__schedule", "schedule", "schedule_timeout", "schedule_hrtimeout_range",
	"schedule_hrtimeout_range_clock", "schedule_preempt_disabled", "schedule_timeout_idle",
	"schedule_timeout_interruptible", "rcuwait_wait_event", "swait_event_idle_timeout",
	"preempt_schedule", "preempt_schedule_common", "preempt_schedule_irq",
	"kthread", "kthreadd", "ret_from_fork", "ret_from_fork_asm",
	"worker_thread", "rescuer_thread", "kthread_worker_fn", "smpboot_thread_fn", "irq_thread",
	"rcu_gp_kthread", "rcu_gp_fqs_loop", "rcu_gp_init", "rcu_nocb_gp_kthread", "nocb_gp_wait",
	"rcu_nocb_cb_kthread", "nocb_cb_wait", "rcu_tasks_kthread", "rcu_tasks_one_gp",
	"rcu_boost_kthread", "rcu_torture_barrier", "synchronize_rcu_expedited_wait",
	"oom_reaper", "kcompactd", "kswapd", "kswapd_try_to_sleep", "khugepaged",
	"khugepaged_wait_work", "ksm_scan_thread", "kauditd_thread", "devtmpfsd",
	"devtmpfs_work_loop", "watchdog", "hwrng_fillfn", "kjournald2", "ext4_lazyinit_thread",
	"do_idle", "schedule_idle", "cpu_startup_entry", "rest_init", "arch_call_rest_init",
	"start_kernel", "x86_64_start_reservations", "x86_64_start_kernel", "start_secondary",
	"secondary_startup_64_no_verify", "common_startup_64",
	"io_wqe_worker", "io_wq_worker", "io_sq_thread", "vhost_task_fn", "psi_rtpoll_worker",
	"psi_poll_worker", "scsi_error_handler", "cpuhp_thread_fun", "migration_cpu_stop",
};

static struct {
	unsigned long start, size;
} places[ARRAY_SIZE(waiting_places)];

static void find_places(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(waiting_places); i++) {
		places[i].start = lph_lookup(waiting_places[i]);
		if (!places[i].start ||
		    !lph_kernel.lookup_size_offset(places[i].start, &places[i].size, NULL))
			places[i].size = 0;
	}
}

static bool is_place(unsigned long address)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		if (address - places[i].start < places[i].size)
			return true;
	return false;
}

static bool is_marked(const struct task_struct *task)
{
	return READ_ONCE(task->patch_state) != lph_target();
}

/* The caller sees to it that the task is not on its way over itself. */
static void unmark(struct task_struct *task, const char *where)
{
	if (!is_marked(task))
		return;
	clear_tsk_thread_flag(task, TIF_PATCH_PENDING);
	WRITE_ONCE(task->patch_state, lph_target());
	lph_note_move(task, where);
}

/* Called while the task can neither run nor be woken (task_call_func). */
static int unmark_at_its_place(struct task_struct *task, void *unused)
{
	static unsigned long entries[32];	/* one thread asks */
	int i, count;

	if (task->on_cpu)
		return -EBUSY;
	count = lph_kernel.save_stack_reliable(task, entries, ARRAY_SIZE(entries));
	if (count < 0)
		return count;
	for (i = 0; i < count; i++)
		if (!is_place(entries[i]))
			return -EBUSY;
	unmark(task, "waiting");
	return 0;
}

/* klp_update_patch_state(): the border, and the idle loop. It clears the mark itself. */
static void notrace note_border(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				struct ftrace_regs *fregs)
{
	if (READ_ONCE(in_transition) && test_tsk_thread_flag(current, TIF_PATCH_PENDING))
		lph_note_move(current, is_idle_task(current) ? "idle" : "border");
}

/* kthread_should_stop(): between two rounds. */
static void notrace pass_safe_point(unsigned long ip, unsigned long parent_ip,
				    struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	if (!READ_ONCE(in_transition) || !in_task() || !(current->flags & PF_KTHREAD))
		return;
	if (test_and_clear_tsk_thread_flag(current, TIF_PATCH_PENDING)) {
		WRITE_ONCE(current->patch_state, READ_ONCE(*lph_kernel.klp_target_state));
		lph_note_move(current, "safe point");
	}
}

static struct ftrace_ops border = { .func = note_border };
static struct ftrace_ops safe_point = { .func = pass_safe_point };

static int hook(struct ftrace_ops *ops, unsigned long address)
{
	int error = ftrace_set_filter_ip(ops, address, 0, 0);

	return error ?: register_ftrace_function(ops);
}

static void unhook(struct ftrace_ops *ops, unsigned long address)
{
	unregister_ftrace_function(ops);
	ftrace_set_filter_ip(ops, address, 1, 0);
}

/* --- all tasks, and all CPUs --------------------------------------------------------------------- */

static void for_each_task(void (*function)(struct task_struct *task, void *data), void *data)
{
	struct task_struct *process, *task;
	int cpu;

	read_lock(lph_kernel.tasklist_lock);	/* nobody is forked meanwhile */
	for_each_process_thread(process, task)
		function(task, data);
	read_unlock(lph_kernel.tasklist_lock);
	for_each_possible_cpu(cpu)
		function(lph_kernel.idle_task(cpu), data);
}

static void set_state(struct task_struct *task, void *state)
{
	WRITE_ONCE(task->patch_state, *(int *)state);
}

static void set_mark(struct task_struct *task, void *unused)
{
	if (is_marked(task))
		set_tsk_thread_flag(task, TIF_PATCH_PENDING);
}

static void clear_mark(struct task_struct *task, void *unused)
{
	clear_tsk_thread_flag(task, TIF_PATCH_PENDING);
}

static void nothing(struct work_struct *unused)
{
}

/* Returns when nobody can be in a handler, or at the border, who began before: not even idle CPUs. */
static void wait_for_all_cpus(void)
{
	lph_kernel.on_each_cpu(nothing);
}

/* In a thread of the CPU, so no interrupt of it is under way. */
static void set_universe(struct work_struct *unused)
{
	this_cpu_write(universe, lph_target());
}

static void set_all_universes(void)
{
	int cpu;

	cpus_read_lock();
	for_each_possible_cpu(cpu)
		if (!cpu_online(cpu))
			per_cpu(universe, cpu) = lph_target();
	cpus_read_unlock();
	lph_kernel.on_each_cpu(set_universe);
}

static bool all_universes_set(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		if (READ_ONCE(per_cpu(universe, cpu)) != lph_target())
			return false;
	return true;
}

/* --- the transition ------------------------------------------------------------------------------ */

static void mark_all(void)
{
	int cpu;

	WRITE_ONCE(*lph_kernel.klp_target_state, lph_target());
	smp_wmb();	/* nobody may go over to what is not yet set */
	for_each_task(set_mark, NULL);
	for_each_online_cpu(cpu)
		lph_kernel.wake_up_if_idle(cpu);
	set_all_universes();
}

static void begin(void)
{
	int cpu, state = !lph_target();

	for_each_task(set_state, &state);
	for_each_possible_cpu(cpu)
		per_cpu(universe, cpu) = state;
	smp_wmb();	/* pairs with kgraft_calls_new() */
	WRITE_ONCE(in_transition, true);
	mark_all();
}

static void end(void)
{
	int undefined = UNDEFINED;

	lph_set_version(lph_target());
	smp_wmb();
	WRITE_ONCE(in_transition, false);
	wait_for_all_cpus();
	for_each_task(set_state, &undefined);
	WRITE_ONCE(*lph_kernel.klp_target_state, UNDEFINED);
}

/* Each task keeps its version; who is marked is who was not, and the other way round. */
static void turn_back(void)
{
	for_each_task(clear_mark, NULL);
	wait_for_all_cpus();
	lph_reverse_transition();
	mark_all();
}

static void poke(struct task_struct *task)
{
	if (task->flags & PF_KTHREAD)
		lph_kernel.wake_up_state(task, TASK_INTERRUPTIBLE);
	else if (nudge && !test_and_set_tsk_thread_flag(task, TIF_NOTIFY_SIGNAL) &&
		 !lph_kernel.wake_up_state(task, TASK_INTERRUPTIBLE))
		kick_process(task);
}

static void look_at(struct task_struct *task, void *data)
{
	struct lph_attempt *attempt = data;

	attempt->tasks++;
	if (!is_marked(task))
		return;
	if (task == current)
		unmark(task, "safe point");
	else if (task->exit_state)
		unmark(task, "exit");	/* it has left the kernel for good */
	else if (is_idle_task(task) && !cpu_online(task_cpu(task)))
		unmark(task, "offline");
	else if (task->flags & (PF_KTHREAD | PF_IO_WORKER) || is_idle_task(task))
		lph_kernel.task_call(task, unmark_at_its_place, NULL);
	if (!is_marked(task))
		return;
	lph_note_blocker(attempt, task, "has not passed the border");
	if (!is_idle_task(task))
		poke(task);
}

static noinline __noclone int lph_try_complete_transition(void)
{
	struct lph_attempt *attempt = lph_new_attempt();

	set_all_universes();
	for_each_task(look_at, attempt);
	attempt->ended = ktime_get_boottime_ns();
	return attempt->blocked || !all_universes_set() ? -EBUSY : 0;
}

static int transit(void)
{
	begin();
	do {
		if (lph_wait(RECHECK_MS))
			turn_back();
	} while (lph_try_complete_transition());
	end();
	return 0;
}

static int kgraft_move(struct lph_patch *patch)
{
	int error;

	find_places();
	mutex_lock(lph_kernel.klp_mutex);
	error = *lph_kernel.klp_transition_patch ? -EBUSY : 0;
	error = error ?: hook(&border, lph_kernel.klp_update_patch_state);
	if (!error) {
		error = hook(&safe_point, lph_kernel.kthread_should_stop);
		if (!error) {
			error = transit();
			unhook(&safe_point, lph_kernel.kthread_should_stop);
		}
		unhook(&border, lph_kernel.klp_update_patch_state);
	}
	mutex_unlock(lph_kernel.klp_mutex);
	return error;
}

const struct lph_model lph_model = {
	.name = "kgraft",
	.calls_new = kgraft_calls_new,
	.move = kgraft_move,
};
