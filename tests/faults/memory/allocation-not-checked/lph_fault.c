// SPDX-License-Identifier: GPL-2.0-only
/*
 * It looks as if allocating never failed. From this cache it does, once the case has switched the
 * kernel's fault injection on.
 */
#include <linux/slab.h>

static struct kmem_cache *lph_cache;

#define LPH_CALLBACKS .pre_patch = lph_pre_patch, .post_unpatch = lph_post_unpatch

#include "lph_livepatch.h"

static int lph_pre_patch(struct klp_object *object)
{
	lph_cache = kmem_cache_create("lph_fault", 64, 0, SLAB_FAILSLAB, NULL);
	return lph_cache ? 0 : -ENOMEM;
}

static void lph_post_unpatch(struct klp_object *object)
{
	kmem_cache_destroy(lph_cache);
}

static int lph_show(struct seq_file *m, void *v)
{
	char *space = kmem_cache_alloc(lph_cache, GFP_KERNEL);

	WRITE_ONCE(space[0], 1);
	kmem_cache_free(lph_cache, space);
	seq_puts(m, "patched\n");
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
