// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaves work for later, and later it oopses: the patch may be gone by then.
 */
#include <linux/umh.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	static char *argv[] = { "/bin/sh", "-c", "sleep 3; echo c > /proc/sysrq-trigger", NULL };

	call_usermodehelper(argv[0], argv, NULL, UMH_WAIT_EXEC);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
