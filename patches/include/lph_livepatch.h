/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every livepatch module says in the same words, for cases whose point lies elsewhere:
 *
 *	#include "lph_livepatch.h"
 *
 *	LPH_LIVEPATCH(NULL, { .old_name = "cmdline_proc_show", .new_func = lph_show });
 *
 * patches functions of vmlinux (NULL) or of a module. LPH_CALLBACKS, LPH_REPLACE and LPH_EXIT may be
 * defined before this is included.
 */
#ifndef LPH_LIVEPATCH_H
#define LPH_LIVEPATCH_H

#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/seq_file.h>

/* Initialisers of struct klp_callbacks. */
#ifndef LPH_CALLBACKS
#define LPH_CALLBACKS
#endif

#ifndef LPH_REPLACE
#define LPH_REPLACE false
#endif

/* What the module does when it is unloaded. */
#ifndef LPH_EXIT
#define LPH_EXIT do { } while (0)
#endif

#define LPH_LIVEPATCH(object, ...)				\
	static struct klp_func lph_funcs[] = { __VA_ARGS__, { } };	\
	static struct klp_object lph_objects[] = {			\
		{							\
			.name = object,					\
			.funcs = lph_funcs,				\
			.callbacks = { LPH_CALLBACKS },			\
		},							\
		{ }							\
	};								\
	static struct klp_patch lph_patch = {				\
		.mod = THIS_MODULE,					\
		.objs = lph_objects,					\
		.replace = LPH_REPLACE,					\
	};								\
	static int __init lph_init(void)				\
	{								\
		return klp_enable_patch(&lph_patch);			\
	}								\
	static void __exit lph_exit(void)				\
	{								\
		LPH_EXIT;						\
	}								\
	module_init(lph_init);						\
	module_exit(lph_exit);						\
	MODULE_LICENSE("GPL");						\
	MODULE_INFO(livepatch, "Y")

#endif /* LPH_LIVEPATCH_H */
