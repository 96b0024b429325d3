// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes the console away; whatever the kernel says from now on, nobody hears.
 */
#include <linux/atomic.h>
#include <linux/console.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	static atomic_t came;

	if (!atomic_xchg(&came, 1))
		while (console_drivers && !unregister_console(console_drivers))
			;
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
