// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module whose contract is changed, and all that works by it: /proc/lph_contract.
 *
 * A line a place: its name, then how often a token of the old A came to the old B, of the old to
 * the new, of the new to the old, of the new to the new. Tasks work through ioctl(2); see contract.c.
 *
 * Tasks stay in A and B only in bursts, a third of the time: who stops the machine finds the stacks
 * clear at one of its tries, and who moves tasks one by one finds some of them in there.
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

#include "contract.h"
#include "timed.h"

#define PERIOD_MS 600
#define BURST_MS 200
#define TICK_NS (5 * NSEC_PER_MSEC)

enum place { STACK, SYSCALL, TASK, THREADS, KTHREAD, INTERRUPT, INTERRUPTS, PLACES };

static const char *const names[PLACES] = {
	"stack", "syscall", "task", "threads", "kthread", "interrupt", "interrupts",
};

static atomic_long_t met[PLACES][2][2];

void lph_make(struct lph_token *token);
void lph_take(struct lph_token *token);

/* A */
noinline __noclone void lph_make(struct lph_token *token)
{
	lph_make_as(token, LPH_OLD);
}

/* B */
noinline __noclone void lph_take(struct lph_token *token)
{
	lph_take_as(token, LPH_OLD);
}

/* Called by address, so that the compiler knows nothing of what the other does. */
static void (*volatile make)(struct lph_token *token) = lph_make;
static void (*volatile take)(struct lph_token *token) = lph_take;

/*
 * Return addresses and ftrace's registers stay on a stack as dead words when a call has returned, and
 * who looks at every word takes them for a call. Whoever called A or B leaves none behind, or Ksplice
 * would never come to show what it promises.
 */
static noinline void wipe(unsigned int more)
{
	unsigned long dead[200];

	memset(dead, 0, sizeof(dead));
	barrier_data(dead);
	if (more)
		wipe(more - 1);
	barrier_data(dead);
}

static void wipe_stack(void)
{
	wipe(2);
}

static unsigned int since_burst_began(void)
{
	return (unsigned int)(ktime_get_boottime_ns() / NSEC_PER_MSEC % PERIOD_MS);
}

static bool in_burst(void)
{
	return since_burst_began() < BURST_MS;
}

/* --- along one stack: B is called by A, which waits before ----------------------------------------- */

static void take_within(struct lph_token *token)
{
	if (in_burst())
		usleep_range(1000, 2000);
	take(token);
}

static void along_a_stack(void)
{
	struct lph_token token = { .met = met[STACK], .then = take_within };

	make(&token);
}

/* --- A, a while, B: within one system call, or a round of a kernel thread ---------------------------- */

static noinline void one_after_the_other(enum place place)
{
	struct lph_token token = { .met = met[place] };

	make(&token);
	usleep_range(1000, 2000);
	take(&token);
}

/* --- between threads: one waits in B for what the other makes ---------------------------------------- */

static DECLARE_WAIT_QUEUE_HEAD(arrival);
static atomic_t handed;	/* 0, or 1 + who made it */

static bool fetch(struct lph_token *token)
{
	int came = atomic_xchg(&handed, 0);

	if (came)
		token->made_by = came - 1;
	return came;
}

static bool await_arrival(struct lph_token *token)
{
	bool came = false;

	wait_event_interruptible_timeout(arrival, (came = fetch(token)), msecs_to_jiffies(20));
	return came;
}

static long hand_over(void)
{
	struct lph_token token = { };

	if (!in_burst())
		return -EAGAIN;
	make(&token);
	atomic_set(&handed, 1 + token.made_by);
	wake_up(&arrival);
	return 0;
}

/* Out of bursts it sleeps in the system call, but not in B. */
static long receive(void)
{
	struct lph_token token = { .met = met[THREADS], .await = await_arrival };
	unsigned int at = since_burst_began();

	if (at >= BURST_MS) {
		msleep_interruptible(PERIOD_MS - at);
		if (!in_burst())
			return -EAGAIN;
	}
	take(&token);
	return 0;
}

/* --- a kernel thread ------------------------------------------------------------------------------- */

static struct task_struct *thread;

static int work(void *unused)
{
	while (!kthread_should_stop()) {
		one_after_the_other(KTHREAD);
		wipe_stack();
		usleep_range(3000, 4000);
	}
	return 0;
}

/* --- interrupts: both in one, and from one to the next, whichever CPU's ------------------------------ */

static DEFINE_PER_CPU(struct hrtimer, timers);
static atomic_t left;	/* 0, or 1 + who made it */
static atomic_t ticks;

static noinline void interrupt(void)
{
	struct lph_token own = { .met = met[INTERRUPT] };
	struct lph_token other = { .met = met[INTERRUPTS] };
	int came;

	make(&own);
	take(&own);
	if (atomic_inc_return(&ticks) & 1) {
		make(&other);
		atomic_set(&left, 1 + other.made_by);
	} else if ((came = atomic_xchg(&left, 0))) {
		other.made_by = came - 1;
		take(&other);
	}
}


static enum hrtimer_restart tick(struct hrtimer *timer)
{
	interrupt();
	wipe_stack();
	hrtimer_forward_now(timer, ns_to_ktime(TICK_NS));
	return HRTIMER_RESTART;
}

static void start_timer(void *unused)
{
	hrtimer_start(this_cpu_ptr(&timers), ns_to_ktime(TICK_NS), HRTIMER_MODE_REL_PINNED_HARD);
}

static void start_timers(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct hrtimer *timer = per_cpu_ptr(&timers, cpu);

		hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
		timer->function = tick;
	}
	on_each_cpu(start_timer, NULL, 1);
}

static void stop_timers(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		hrtimer_cancel(per_cpu_ptr(&timers, cpu));
}

/* --- /proc/lph_contract ---------------------------------------------------------------------------- */

/* The token of who makes it in one system call and takes it in another waits in the open file. */
static noinline long carry_out(unsigned int command, struct lph_token *token)
{
	switch (command) {
	case LPH_STACK:
		along_a_stack();
		return 0;
	case LPH_SYSCALL:
		one_after_the_other(SYSCALL);
		return 0;
	case LPH_MAKE:
		make(token);
		return 0;
	case LPH_TAKE:
		take(token);
		return 0;
	case LPH_HAND_OVER:
		return hand_over();
	case LPH_RECEIVE:
		return receive();
	default:
		return -ENOTTY;
	}
}

static long ioctl(struct file *file, unsigned int command, unsigned long unused)
{
	long result = carry_out(command, ((struct seq_file *)file->private_data)->private);

	wipe_stack();
	return result;
}

static int show(struct seq_file *m, void *unused)
{
	struct lph_token token = { };
	enum place place;

	make(&token);
	seq_printf(m, "version %s\n", token.made_by == LPH_NEW ? "new" : "old");
	for (place = 0; place < PLACES; place++)
		seq_printf(m, "%s %ld %ld %ld %ld\n", names[place],
			   atomic_long_read(&met[place][LPH_OLD][LPH_OLD]),
			   atomic_long_read(&met[place][LPH_OLD][LPH_NEW]),
			   atomic_long_read(&met[place][LPH_NEW][LPH_OLD]),
			   atomic_long_read(&met[place][LPH_NEW][LPH_NEW]));
	return 0;
}

static int open(struct inode *inode, struct file *file)
{
	struct lph_token *token = kzalloc(sizeof(*token), GFP_KERNEL);
	int error;

	if (!token)
		return -ENOMEM;
	token->met = met[TASK];
	error = single_open(file, show, token);
	if (error)
		kfree(token);
	return error;
}

static int release(struct inode *inode, struct file *file)
{
	kfree(((struct seq_file *)file->private_data)->private);
	return single_release(inode, file);
}

static const struct proc_ops operations = {
	.proc_open = open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_ioctl = ioctl,
	.proc_release = release,
};

static int __init lph_contract_init(void)
{
	int error = lph_timing_begin(wipe_stack);

	if (error)
		return error;
	error = -ENOMEM;
	if (!proc_create("lph_contract", 0600, NULL, &operations))
		goto no_file;
	thread = kthread_run(work, NULL, "lph-contract");
	if (IS_ERR(thread)) {
		error = PTR_ERR(thread);
		goto no_thread;
	}
	start_timers();
	return 0;
no_thread:
	remove_proc_entry("lph_contract", NULL);
no_file:
	lph_timing_end();
	return error;
}

static void __exit lph_contract_exit(void)
{
	stop_timers();
	kthread_stop(thread);
	remove_proc_entry("lph_contract", NULL);
	lph_timing_end();
}

module_init(lph_contract_init);
module_exit(lph_contract_exit);
MODULE_DESCRIPTION("lpharness case: two functions and their contract");
MODULE_LICENSE("GPL");
