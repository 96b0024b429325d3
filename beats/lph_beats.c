// SPDX-License-Identifier: GPL-2.0-only
/*
 * lph_beats: a heartbeat on each CPU, by a timer interrupt of its own, each 50 us or so.
 *
 * Between two beats that are further apart than they should be the CPU did nothing for anybody: it
 * took no interrupts, or was not there (a hypervisor ran somebody else), or its stopper thread had
 * it. The last is why a beat looks at whom it interrupts: stop_machine() keeps a CPU first with
 * interrupts on, until every other one has come, and then with interrupts off. No task can run in
 * either, so a beat that finds the stopper is no sign of life. How long no interrupt at all was
 * taken is told beside it.
 *
 * /proc/lph_beats has fields with a tab between. Times are CLOCK_BOOTTIME, in nanoseconds:
 *
 *	beats	NOW PERIOD KEPT COST	KEPT: gaps so long are kept; COST: of a beat, or 0
 *	cpu	CPU BEATS COUNTS	COUNTS: BITS:HOW_MANY,..., of gaps of any length, by how many
 *					bits that has in ns
 *	gap	CPU NUMBER ENDED LENGTH DEAF	the latest that were kept, in no order; they are
 *					numbered from 1; DEAF: the longest part of it without any
 *					interrupt
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/sort.h>
#include <linux/stop_machine.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#define RING 16384U		/* gaps that are kept of a CPU */
#define KEPT_PERIODS 3U		/* one that is so many periods long is kept */
#define BINS 65			/* one for each number of bits that a u64 may have */
#define NOBODY (-1)
#define LEAST_PERIOD_NS (10 * NSEC_PER_USEC)	/* more often a CPU would do nothing else */

static unsigned int period_ns = 50 * NSEC_PER_USEC;
module_param(period_ns, uint, 0444);
MODULE_PARM_DESC(period_ns, "Time between two beats; 0: the shortest that is cheap enough here");

struct gap {
	u64 ended;		/* 0 while the rest is written */
	u64 number, length, deaf;
};

/* Written by its CPU's beats alone, read by whoever reads the file. */
struct heart {
	struct hrtimer timer;
	unsigned int cpu;
	pid_t stopper;
	u64 beat;		/* when it last beat, */
	u64 alive;		/* and when last for somebody else than the stopper */
	u64 deaf;		/* longest time between two beats since then */
	unsigned long beats, gaps;
	unsigned long counts[BINS];
	struct gap *ring;
};

static DEFINE_PER_CPU(struct heart, hearts);
static ktime_t period;
static u64 kept_ns, cost_ns;
static int hotplug_state;

/* --- the beat --------------------------------------------------------------------------------- */

static void keep(struct heart *heart, u64 now, u64 length)
{
	struct gap *gap = &heart->ring[heart->gaps++ % RING];

	WRITE_ONCE(gap->ended, 0);
	smp_wmb();		/* pairs with show_gap(): what is read after a time is of that time */
	WRITE_ONCE(gap->number, heart->gaps);
	WRITE_ONCE(gap->length, length);
	WRITE_ONCE(gap->deaf, heart->deaf);
	smp_store_release(&gap->ended, now);
}

static enum hrtimer_restart beat(struct hrtimer *timer)
{
	struct heart *heart = container_of(timer, struct heart, timer);
	u64 now = ktime_get_boottime_ns();

	hrtimer_forward(timer, ns_to_ktime(now), period);
	heart->deaf = max(heart->deaf, now - heart->beat);
	heart->beat = now;
	WRITE_ONCE(heart->beats, heart->beats + 1);
	if (current->pid != heart->stopper) {
		u64 length = now - heart->alive;
		unsigned long *count = &heart->counts[fls64(length)];

		WRITE_ONCE(*count, *count + 1);
		if (length >= kept_ns)
			keep(heart, now, length);
		heart->alive = now;
		heart->deaf = 0;
	}
	return HRTIMER_RESTART;
}

/* --- its begin and end, as CPUs come and go --------------------------------------------------- */

/* Runs in the stopper thread of each CPU. Of one that comes later nobody knows it. */
static int remember_stopper(void *unused)
{
	this_cpu_write(hearts.stopper, current->pid);
	return 0;
}

static int begin_to_beat(unsigned int cpu)
{
	struct heart *heart = per_cpu_ptr(&hearts, cpu);

	heart->beat = heart->alive = ktime_get_boottime_ns();
	heart->deaf = 0;
	hrtimer_start(&heart->timer, period, HRTIMER_MODE_REL_PINNED_HARD);
	return 0;
}

static int cease_to_beat(unsigned int cpu)
{
	hrtimer_cancel(&per_cpu_ptr(&hearts, cpu)->timer);
	return 0;
}

static int start(u64 ns)
{
	int state, cpu;

	period = ns_to_ktime(ns);
	kept_ns = KEPT_PERIODS * ns;
	for_each_possible_cpu(cpu) {
		struct heart *heart = per_cpu_ptr(&hearts, cpu);

		heart->beats = heart->gaps = 0;
		memset(heart->counts, 0, sizeof(heart->counts));
		memset(heart->ring, 0, array_size(RING, sizeof(*heart->ring)));
	}
	state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "lpharness/beats:online", begin_to_beat,
				  cease_to_beat);
	if (state < 0)
		return state;
	hotplug_state = state;
	return 0;
}

static void stop(void)
{
	cpuhp_remove_state(hotplug_state);
}

/* --- how often is cheap enough ---------------------------------------------------------------- */

#define MEASURED_NS NSEC_PER_MSEC	/* the period at which the cost of a beat is measured */
#define SAMPLES 200U
#define LEAST_SAMPLES 20U
#define LONGEST_S 5
#define BUDGET 8			/* all beats together may take one part in so many of a CPU */

/* Longer than it takes to read the clock, so that beats come while this runs. */
static noinline void pass_a_moment(void)
{
	unsigned int i;

	for (i = 0; i < 1000; i++)
		barrier();
}

/* How long a moment lasted, and whether a beat came in it: between the two times, all of it. */
static bool beats_in_a_moment(u64 *lasted)
{
	struct heart *heart;
	unsigned long beats;
	u64 before;

	migrate_disable();
	heart = this_cpu_ptr(&hearts);
	before = ktime_get_mono_fast_ns();
	beats = READ_ONCE(heart->beats);
	pass_a_moment();
	beats = READ_ONCE(heart->beats) - beats;
	*lasted = ktime_get_mono_fast_ns() - before;
	migrate_enable();
	return beats;
}

static int compare(const void *one, const void *other)
{
	u64 a = *(const u64 *)one, b = *(const u64 *)other;

	return a < b ? -1 : a > b;
}

/*
 * What a beat takes from whom it interrupts, the way there and back included, and whatever an
 * emulator does for it: by how much longer a moment lasts in which one came. Nearly the least of
 * many: other interrupts, and a host that has others to run, only ever add to it, but some of an
 * emulator's work may be done before the moment begins. 0: not known.
 */
static u64 cost_of_a_beat(void)
{
	static u64 lasted[SAMPLES];
	unsigned long end = jiffies + LONGEST_S * HZ;
	u64 without = U64_MAX, with;
	unsigned int count = 0;

	while (count < SAMPLES && time_before(jiffies, end)) {
		if (beats_in_a_moment(&lasted[count]))
			count++;
		else
			without = min(without, lasted[count]);
		cond_resched();
	}
	if (count < LEAST_SAMPLES)
		return 0;
	sort(lasted, count, sizeof(*lasted), compare, NULL);
	with = lasted[count / 40];
	return with > without ? with - without : 0;
}

/*
 * Virtual CPUs may share one, as emulated ones do: what the beats of all of them take counts. Where
 * the cost could not be told the longest period is taken.
 */
static int find_period(u64 *ns)
{
	static const unsigned int periods_us[] = { 50, 100, 200, 500, 1000, 2000, 5000 };
	unsigned int i;
	int error = start(MEASURED_NS);

	if (error)
		return error;
	cost_ns = cost_of_a_beat();
	stop();
	for (i = 0; i < ARRAY_SIZE(periods_us) - 1; i++)
		if (cost_ns && BUDGET * num_online_cpus() * cost_ns <= periods_us[i] * NSEC_PER_USEC)
			break;
	*ns = periods_us[i] * NSEC_PER_USEC;
	return 0;
}

/* --- /proc/lph_beats -------------------------------------------------------------------------- */

/* A place in the file: 0 is its head; then, for each CPU, its own line and one for each gap. */
#define PLACES (RING + 1)

static void *place(loff_t *pos)
{
	return *pos < 1 + (loff_t)nr_cpu_ids * PLACES ? pos : NULL;
}

static void *seq_start(struct seq_file *m, loff_t *pos)
{
	return place(pos);
}

static void *seq_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return place(pos);
}

static void seq_stop(struct seq_file *m, void *v)
{
}

static void show_heart(struct seq_file *m, const struct heart *heart)
{
	const char *between = "";
	unsigned int bits;

	seq_printf(m, "cpu\t%u\t%lu\t", heart->cpu, READ_ONCE(heart->beats));
	for (bits = 0; bits < BINS; bits++) {
		unsigned long count = READ_ONCE(heart->counts[bits]);

		if (!count)
			continue;
		seq_printf(m, "%s%u:%lu", between, bits, count);
		between = ",";
	}
	seq_putc(m, '\n');
}

static void show_gap(struct seq_file *m, unsigned int cpu, const struct gap *gap)
{
	u64 ended = smp_load_acquire(&gap->ended);
	u64 number = READ_ONCE(gap->number);
	u64 length = READ_ONCE(gap->length);
	u64 deaf = READ_ONCE(gap->deaf);

	smp_rmb();		/* pairs with keep() */
	if (ended && READ_ONCE(gap->ended) == ended)
		seq_printf(m, "gap\t%u\t%llu\t%llu\t%llu\t%llu\n", cpu, number, ended, length, deaf);
}

static int seq_show(struct seq_file *m, void *v)
{
	loff_t pos = *(loff_t *)v;
	const struct heart *heart;
	unsigned int cpu;
	u32 inside;

	if (!pos) {
		seq_printf(m, "beats\t%llu\t%lld\t%llu\t%llu\n", ktime_get_boottime_ns(),
			   ktime_to_ns(period), kept_ns, cost_ns);
		return 0;
	}
	cpu = div_u64_rem(pos - 1, PLACES, &inside);
	if (!cpu_possible(cpu))
		return 0;
	heart = per_cpu_ptr(&hearts, cpu);
	if (!inside)
		show_heart(m, heart);
	else
		show_gap(m, cpu, &heart->ring[inside - 1]);
	return 0;
}

static const struct seq_operations operations = {
	.start = seq_start,
	.next = seq_next,
	.stop = seq_stop,
	.show = seq_show,
};

/* --- the module ------------------------------------------------------------------------------- */

static void free_rings(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		vfree(per_cpu(hearts, cpu).ring);
}

static int make_hearts(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct heart *heart = per_cpu_ptr(&hearts, cpu);

		heart->cpu = cpu;
		heart->stopper = NOBODY;
		hrtimer_init(&heart->timer, CLOCK_BOOTTIME, HRTIMER_MODE_REL_PINNED_HARD);
		heart->timer.function = beat;
		heart->ring = vzalloc_node(array_size(RING, sizeof(*heart->ring)), cpu_to_node(cpu));
		if (!heart->ring)
			return -ENOMEM;
	}
	return 0;
}

static int __init lph_beats_init(void)
{
	u64 ns = period_ns;
	int error;

	if (ns && ns < LEAST_PERIOD_NS) {
		pr_err("a period of %llu ns is too short\n", ns);
		return -EINVAL;
	}
	error = make_hearts();
	if (error)
		goto no_hearts;
	error = stop_machine(remember_stopper, NULL, cpu_online_mask);
	if (!error && !ns)
		error = find_period(&ns);
	if (!error)
		error = start(ns);
	if (error)
		goto no_hearts;
	if (!proc_create_seq("lph_beats", 0400, NULL, &operations)) {
		error = -ENOMEM;
		goto no_file;
	}
	return 0;
no_file:
	stop();
no_hearts:
	free_rings();
	return error;
}

static void __exit lph_beats_exit(void)
{
	remove_proc_entry("lph_beats", NULL);
	stop();
	free_rings();
}

module_init(lph_beats_init);
module_exit(lph_beats_exit);
MODULE_DESCRIPTION("lpharness: a heartbeat on each CPU");
MODULE_LICENSE("GPL");
