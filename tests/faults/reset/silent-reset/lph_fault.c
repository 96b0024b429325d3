// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not a word on the console.
 */
#include <linux/delay.h>
#include <linux/io.h>

#include "lph_livepatch.h"

static int lph_show(struct seq_file *m, void *v)
{
	outb(0xfe, 0x64);
	mdelay(1000);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
