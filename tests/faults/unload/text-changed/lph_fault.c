// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes one instruction of the old function another way, which does the same: mov between registers
 * can be encoded from either side. The writable page is a second mapping of the kernel's code.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#define LPH_CALLBACKS .post_unpatch = lph_post_unpatch
#include "lph_livepatch.h"

#define FTRACE_SITE 5
#define LOOKED_AT 16

static u8 *lph_old_function(void)
{
	struct kprobe probe = { .symbol_name = "cmdline_proc_show" };
	u8 *address;

	if (register_kprobe(&probe))
		return NULL;
	address = (u8 *)probe.addr;
	unregister_kprobe(&probe);
	return address;
}

/* mov %reg,%reg: 48 89 /r says "to", 48 8b /r "from", with the two registers exchanged. */
static bool lph_turn_around(u8 *code)
{
	if (code[0] != 0x48 || code[1] != 0x89 || code[2] < 0xc0)
		return false;
	code[2] = 0xc0 | (code[2] & 7) << 3 | (code[2] >> 3 & 7);
	code[1] = 0x8b;
	return true;
}

static void lph_post_unpatch(struct klp_object *obj)
{
	u8 *function = lph_old_function(), *page, *code;
	struct page *pages[1];
	int i;

	if (!function || offset_in_page(function) + LOOKED_AT > PAGE_SIZE)
		return;
	pages[0] = pfn_to_page(PHYS_PFN(slow_virt_to_phys(function)));
	page = vmap(pages, 1, VM_MAP, PAGE_KERNEL);
	if (!page)
		return;
	code = page + offset_in_page(function);
	for (i = FTRACE_SITE; i + 3 <= LOOKED_AT && !lph_turn_around(code + i); i++)
		;
	vunmap(page);
}

static int lph_show(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
