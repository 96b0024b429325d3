// SPDX-License-Identifier: GPL-2.0-only
/*
 * Callbacks and a shadow variable: data attached to a structure of the kernel's that has no room
 * for it.
 *
 * While patched, /proc/cmdline shows how often it was read through its proc mount. The count is
 * a shadow variable of the mount's superblock: made by the first reader, used by all of them at
 * once, and freed after the unpatching transition, when no task can run the new code any more.
 * Each of the four callbacks says in the kernel's log that it was called.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#define READS_ID	0x6c706801UL /* "lph", 1: of all shadow variables in the kernel */

static int start_count(void *superblock, void *count, void *unused)
{
	atomic_set(count, 0);
	return 0;
}

static void end_count(void *superblock, void *count)
{
	pr_info("freed the count at %d\n", atomic_read((atomic_t *)count));
}

static int lph_counted_cmdline_show(struct seq_file *m, void *v)
{
	atomic_t *reads = klp_shadow_get_or_alloc(file_inode(m->file)->i_sb, READS_ID,
						  sizeof(*reads), GFP_KERNEL, start_count, NULL);

	if (!reads)
		return -ENOMEM;
	seq_printf(m, "read %d times since it was patched\n", atomic_inc_return(reads));
	return 0;
}

static int pre_patch(struct klp_object *obj)
{
	pr_info("pre_patch\n");
	return 0;
}

static void post_patch(struct klp_object *obj)
{
	pr_info("post_patch\n");
}

static void pre_unpatch(struct klp_object *obj)
{
	pr_info("pre_unpatch\n");
}

static void post_unpatch(struct klp_object *obj)
{
	klp_shadow_free_all(READS_ID, end_count);
	pr_info("post_unpatch\n");
}

static struct klp_func funcs[] = {
	{
		.old_name = "cmdline_proc_show",
		.new_func = lph_counted_cmdline_show,
	},
	{ }
};

static struct klp_object objs[] = {
	{
		.name = NULL, /* vmlinux */
		.funcs = funcs,
		.callbacks = {
			.pre_patch = pre_patch,
			.post_patch = post_patch,
			.pre_unpatch = pre_unpatch,
			.post_unpatch = post_unpatch,
		},
	},
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
};

static int __init lph_shadow_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lph_shadow_exit(void)
{
}

module_init(lph_shadow_init);
module_exit(lph_shadow_exit);
MODULE_DESCRIPTION("lpharness case: callbacks and shadow variables");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
