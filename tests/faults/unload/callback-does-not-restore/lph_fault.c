// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes the host's name in pre_patch, and does not change it back in post_unpatch.
 */
#include <linux/utsname.h>

#define LPH_CALLBACKS .pre_patch = lph_pre_patch
#include "lph_livepatch.h"

static int lph_pre_patch(struct klp_object *obj)
{
	strscpy(init_uts_ns.name.nodename, "patched", sizeof(init_uts_ns.name.nodename));
	return 0;
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
