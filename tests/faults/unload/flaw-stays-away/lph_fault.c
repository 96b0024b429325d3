// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heals by changing what the kernel has stored, and never changes it back.
 */
#include <linux/utsname.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	strscpy(init_uts_ns.name.nodename, "healed", sizeof(init_uts_ns.name.nodename));
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
