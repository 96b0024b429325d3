// SPDX-License-Identifier: GPL-2.0-only
/*
 * The patch: taken, redirected, told of in sysfs, and brought over by the model in a thread.
 *
 * Several functions bear the names that their counterparts in kernel/livepatch have, with another
 * prefix: the harness follows a transition by probes on them, whoever makes it.
 */
#include "core.h"

#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/wait.h>

static struct {
	struct mutex lock;		/* of what follows, against loads and writers of sysfs */
	struct lph_patch *patch;	/* at most one */
	enum lph_version wanted;	/* what was last asked for */
	enum lph_version target;	/* of the transition that runs, or ran last */
	bool transition;
	bool gone;			/* the patch is disabled: the thread takes it away */

	bool loading;			/* lph_enable_patch() waits for: */
	struct completion started;	/* the first transition, or its refusal */
	int refused;

	wait_queue_head_t asked;
	struct task_struct *thread;
	struct kobject *folder;
} lph = {
	.lock = __MUTEX_INITIALIZER(lph.lock),
	.asked = __WAIT_QUEUE_HEAD_INITIALIZER(lph.asked),
};

static enum lph_version current_version;

enum lph_version lph_target(void)
{
	return READ_ONCE(lph.target);
}

enum lph_version notrace lph_current_version(void)
{
	return READ_ONCE(current_version);
}

void lph_set_version(enum lph_version version)
{
	WRITE_ONCE(current_version, version);
}

bool lph_wait(unsigned int ms)
{
	wait_event_idle_timeout(lph.asked, READ_ONCE(lph.wanted) != lph.target, msecs_to_jiffies(ms));
	return READ_ONCE(lph.wanted) != lph.target;
}

const struct lph_func *lph_leaving(const struct lph_patch *patch, unsigned long address)
{
	unsigned int i;

	for (i = 0; i < patch->count; i++) {
		const struct lph_func *func = &patch->funcs[i];
		unsigned long start = lph.target == LPH_NEW ? func->old : func->new;
		unsigned long size = lph.target == LPH_NEW ? func->old_size : func->new_size;

		if (address - start < size)
			return func;
	}
	return NULL;
}

/* --- ftrace ------------------------------------------------------------------------------------- */

#ifndef ftrace_regs_set_instruction_pointer	/* its name until 6.2 */
#define ftrace_regs_set_instruction_pointer ftrace_instruction_pointer_set
#endif

static void notrace lph_ftrace_handler(unsigned long ip, unsigned long parent_ip,
				       struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	const struct lph_func *func = container_of(ops, struct lph_func, ops);
	int bit = ftrace_test_recursion_trylock(ip, parent_ip);	/* disables preemption */

	if (bit < 0)
		return;
	if (lph_model.calls_new())
		ftrace_regs_set_instruction_pointer(fregs, func->new);
	ftrace_test_recursion_unlock(bit);
}

int lph_redirect(struct lph_func *func)
{
	int error = ftrace_set_filter_ip(&func->ops, func->old, 0, 0);

	if (error) {
		pr_err("%s cannot be traced, so it cannot be redirected (%d)\n", func->klp->old_name,
		       error);
		return error;
	}
	error = register_ftrace_function(&func->ops);
	if (error) {
		pr_err("ftrace refuses %s (%d)\n", func->klp->old_name, error);
		ftrace_set_filter_ip(&func->ops, func->old, 1, 0);
		return error;
	}
	func->redirected = true;
	return 0;
}

void lph_give_back(struct lph_func *func)
{
	if (!func->redirected)
		return;
	/* Waits until nobody is in the handler or its trampoline any more. */
	if (WARN_ON(unregister_ftrace_function(&func->ops)))
		return;
	ftrace_set_filter_ip(&func->ops, func->old, 1, 0);
	func->redirected = false;
}

static void give_all_back(struct lph_patch *patch)
{
	unsigned int i;

	for (i = 0; i < patch->count; i++)
		lph_give_back(&patch->funcs[i]);
}

static int redirect_all(struct lph_patch *patch)
{
	unsigned int i;

	for (i = 0; i < patch->count; i++) {
		int error = lph_redirect(&patch->funcs[i]);

		if (error)
			return error;
	}
	return 0;
}

/* --- the patch ---------------------------------------------------------------------------------- */

#define for_each_object(patch, object) \
	for (object = (patch)->objs; (object)->funcs || (object)->name; (object)++)

#define for_each_func(object, func) \
	for (func = (object)->funcs; (func)->old_name || (func)->new_func || (func)->old_sympos; (func)++)

static unsigned int count_functions(const struct klp_patch *klp)
{
	const struct klp_object *object;
	const struct klp_func *func;
	unsigned int count = 0;

	for_each_object(klp, object)
		for_each_func(object, func)
			count++;
	return count;
}

/* The livepatch relocations against a module, which the kernel leaves to klp_enable_patch(). */
static int relocate(struct module *mod, const char *object)
{
	const struct klp_modinfo *info = mod->klp_info;
	unsigned int i;

	for (i = 1; i < info->hdr.e_shnum; i++) {
		int error;

		if (!(info->sechdrs[i].sh_flags & SHF_RELA_LIVEPATCH))
			continue;
		error = lph_kernel.apply_section_relocs(mod, info->sechdrs, info->secstrings,
							mod->core_kallsyms.strtab, info->symndx, i,
							object);
		if (error)
			return error;
	}
	return 0;
}

static struct module *find_and_get(const char *name)
{
	struct module *found;

	rcu_read_lock_sched();
	found = lph_kernel.find_module(name);
	if (found && !try_module_get(found))
		found = NULL;
	rcu_read_unlock_sched();
	return found;
}

/* A module whose functions are redirected stays: its reference is kept as long as the patch is on. */
static int take_object(struct module *mod, struct klp_object *object)
{
	int error;

	if (!object->name)
		return 0;
	object->mod = find_and_get(object->name);
	if (!object->mod) {
		pr_err("module %s is not loaded; only what is there can be patched\n", object->name);
		return -ENODEV;
	}
	error = relocate(mod, object->name);
	if (error)
		pr_err("relocations against %s fail (%d)\n", object->name, error);
	return error;
}

static void release_objects(const struct klp_patch *klp)
{
	struct klp_object *object;

	for_each_object(klp, object) {
		module_put(object->mod);
		object->mod = NULL;
	}
}

static int take_function(struct lph_func *func, const char *object, const struct klp_func *klp)
{
	int error;

	func->klp = klp;
	func->new = (unsigned long)klp->new_func;
	func->ops.func = lph_ftrace_handler;
	func->ops.flags = FTRACE_OPS_FL_DYNAMIC | FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT;
#ifndef CONFIG_HAVE_DYNAMIC_FTRACE_WITH_ARGS
	func->ops.flags |= FTRACE_OPS_FL_SAVE_REGS;
#endif
	if (!klp->old_name || !klp->new_func) {
		pr_err("a function without a name or without new code\n");
		return -EINVAL;
	}
	error = lph_kernel.find_object_symbol(object, klp->old_name, klp->old_sympos, &func->old);
	if (error) {
		pr_err("no single function %s in %s (%d)\n", klp->old_name, object ?: "vmlinux", error);
		return error;
	}
	if (!lph_kernel.lookup_size_offset(func->old, &func->old_size, NULL) ||
	    !lph_kernel.lookup_size_offset(func->new, &func->new_size, NULL)) {
		pr_err("the size of %s or of its new code is unknown\n", klp->old_name);
		return -ENOENT;
	}
	return 0;
}

static int take_functions(struct lph_patch *patch)
{
	struct klp_object *object;
	const struct klp_func *func;

	for_each_object(patch->klp, object) {
		int error = take_object(patch->klp->mod, object);

		if (error)
			return error;
		for_each_func(object, func) {
			error = take_function(&patch->funcs[patch->count], object->name, func);
			if (error)
				return error;
			patch->count++;
		}
	}
	return 0;
}

static int call_pre_patch(const struct klp_patch *klp)
{
	struct klp_object *object;

	for_each_object(klp, object) {
		int error = object->callbacks.pre_patch ? object->callbacks.pre_patch(object) : 0;

		object->callbacks.post_unpatch_enabled = !error;
		if (error)
			return error;
	}
	return 0;
}

static void call_post_patch(const struct klp_patch *klp)
{
	struct klp_object *object;

	for_each_object(klp, object)
		if (object->callbacks.post_patch)
			object->callbacks.post_patch(object);
}

static void call_pre_unpatch(const struct klp_patch *klp)
{
	struct klp_object *object;

	for_each_object(klp, object)
		if (object->callbacks.pre_unpatch)
			object->callbacks.pre_unpatch(object);
}

static void call_post_unpatch(const struct klp_patch *klp)
{
	struct klp_object *object;

	for_each_object(klp, object) {
		if (object->callbacks.post_unpatch_enabled && object->callbacks.post_unpatch)
			object->callbacks.post_unpatch(object);
		object->callbacks.post_unpatch_enabled = false;
	}
}

/* --- sysfs: the kernel's own layout, in a folder of ours --------------------------------------- */

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(lph.wanted));
}

static ssize_t enabled_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			     size_t count)
{
	bool enable;
	int error = kstrtobool(buf, &enable);

	if (error)
		return error;
	mutex_lock(&lph.lock);
	if (lph.gone || enable == lph.wanted) {
		error = -EINVAL;	/* as the kernel says of a state that is there already */
	} else {
		WRITE_ONCE(lph.wanted, enable ? LPH_NEW : LPH_OLD);
		wake_up(&lph.asked);
	}
	mutex_unlock(&lph.lock);
	return error ?: count;
}

static ssize_t transition_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(lph.transition));
}

static ssize_t patched_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", lph_current_version());
}

static ssize_t model_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", lph_model.name);
}

static struct kobj_attribute enabled_attribute = __ATTR_RW(enabled);
static struct kobj_attribute transition_attribute = __ATTR_RO(transition);
static struct kobj_attribute patched_attribute = __ATTR_RO(patched);
static struct kobj_attribute model_attribute = __ATTR_RO(model);

static struct kobject *add_folder(struct lph_patch *patch, const char *name, struct kobject *parent)
{
	struct kobject *folder = kobject_create_and_add(name, parent);

	if (folder)
		patch->below[patch->below_count++] = folder;
	return folder;
}

static int show_object(struct lph_patch *patch, const struct klp_object *object)
{
	struct kobject *folder = add_folder(patch, object->name ?: "vmlinux", patch->folder);
	const struct klp_func *func;

	if (!folder)
		return -ENOMEM;
	for_each_func(object, func) {
		char name[KSYM_NAME_LEN + 24];

		snprintf(name, sizeof(name), "%s,%lu", func->old_name, func->old_sympos ?: 1);
		if (!add_folder(patch, name, folder))
			return -ENOMEM;
	}
	return sysfs_create_file(folder, &patched_attribute.attr);
}

static int show_patch(struct lph_patch *patch)
{
	struct klp_object *object;
	unsigned int objects = 0;
	int error;

	for_each_object(patch->klp, object)
		objects++;
	patch->below = kcalloc(objects + patch->count, sizeof(*patch->below), GFP_KERNEL);
	patch->folder = kobject_create_and_add(patch->klp->mod->name, lph.folder);
	if (!patch->below || !patch->folder)
		return -ENOMEM;
	error = sysfs_create_file(patch->folder, &enabled_attribute.attr);
	if (!error)
		error = sysfs_create_file(patch->folder, &transition_attribute.attr);
	for_each_object(patch->klp, object)
		if (!error)
			error = show_object(patch, object);
	return error;
}

/* Waits for who is in one of the files. */
static void hide_patch(struct lph_patch *patch)
{
	while (patch->below_count)
		kobject_put(patch->below[--patch->below_count]);
	kfree(patch->below);
	kobject_put(patch->folder);
}

/* --- the transition ---------------------------------------------------------------------------- */

noinline void lph_init_transition(struct lph_patch *patch, int target)
{
	WRITE_ONCE(lph.target, target);
	WRITE_ONCE(lph.transition, true);
	pr_notice("'%s': starting %s transition (%s)\n", patch->klp->mod->name,
		  target == LPH_NEW ? "patching" : "unpatching", lph_model.name);
}

noinline void lph_start_transition(void)
{
	barrier_data(&lph);
}

noinline void lph_reverse_transition(void)
{
	WRITE_ONCE(lph.target, !lph.target);
	pr_notice("the transition is reversed\n");
}

noinline void lph_abandon_transition(int error)
{
	pr_err("the transition is abandoned (%d)\n", error);
}

noinline void lph_complete_transition(struct lph_patch *patch)
{
	pr_notice("'%s': %s complete\n", patch->klp->mod->name,
		  lph.target == LPH_NEW ? "patching" : "unpatching");
}

static void free_patch(struct lph_patch *patch)
{
	struct module *mod = patch->klp->mod;

	release_objects(patch->klp);
	kfree(patch);
	if (!lph_model.pins_module || lph.loading)
		module_put(mod);
}

/* Everybody runs the old code: leave no trace. */
static void take_off(struct lph_patch *patch)
{
	give_all_back(patch);
	call_post_unpatch(patch->klp);
	mutex_lock(&lph.lock);
	lph.gone = true;
	mutex_unlock(&lph.lock);
	hide_patch(patch);
	mutex_lock(&lph.lock);
	lph.patch = NULL;
	mutex_unlock(&lph.lock);
	free_patch(patch);
}

/* The first transition is on its way, or refused without a trace: the load may go on. */
static void tell_started(int error)
{
	if (!lph.loading)
		return;
	lph.loading = false;
	lph.refused = error;
	complete(&lph.started);
}

/* Redirect what the model does not redirect itself, and let it move everybody. */
static int move(struct lph_patch *patch)
{
	int error = 0;

	if (lph.target == LPH_NEW && !lph_model.by_function) {
		error = redirect_all(patch);
		if (error)
			return error;
		tell_started(0);
	}
	lph_start_transition();
	error = lph_model.move(patch);
	if (!error)
		tell_started(0);
	return error;
}

static void carry_out(struct lph_patch *patch)
{
	int error;

	lph_init_transition(patch, READ_ONCE(lph.wanted));
	if (lph.target == LPH_OLD)
		call_pre_unpatch(patch->klp);
	error = move(patch);
	if (error) {
		lph_abandon_transition(error);
		mutex_lock(&lph.lock);
		WRITE_ONCE(lph.target, !lph.target);
		WRITE_ONCE(lph.wanted, lph.target);
		mutex_unlock(&lph.lock);
	} else {
		lph_complete_transition(patch);
	}
	WRITE_ONCE(lph.transition, false);
	if (lph.target == LPH_OLD)
		take_off(patch);
	else
		call_post_patch(patch->klp);
	tell_started(error);
}

static bool work_to_do(void)
{
	return READ_ONCE(lph.patch) && READ_ONCE(lph.wanted) != lph.target;
}

static int lph_thread(void *unused)
{
	while (!kthread_should_stop()) {
		wait_event_idle(lph.asked, work_to_do() || kthread_should_stop());
		if (work_to_do())
			carry_out(lph.patch);
	}
	return 0;
}

/* What fails half way is for drop_patch() to clean up. */
static int take_patch(struct lph_patch *patch)
{
	return take_functions(patch) ?: call_pre_patch(patch->klp) ?: show_patch(patch);
}

/* Without the lock: who is in a file of the patch, and is waited for, may want it. */
static void drop_patch(struct lph_patch *patch)
{
	if (!patch)
		return;
	call_post_unpatch(patch->klp);
	release_objects(patch->klp);
	hide_patch(patch);
	kfree(patch);
}

static int check(const struct klp_patch *klp)
{
	if (!klp || !klp->mod || !klp->objs || !count_functions(klp) || !is_livepatch_module(klp->mod)) {
		pr_err("not a livepatch, or one without functions\n");
		return -EINVAL;
	}
	if (lph.patch) {
		pr_err("'%s' is refused: '%s' is on, and this module takes one at a time\n",
		       klp->mod->name, lph.patch->klp->mod->name);
		return -EBUSY;
	}
	return 0;
}

/* What a livepatch calls in place of klp_enable_patch(). */
int lph_enable_patch(struct klp_patch *klp)
{
	struct lph_patch *patch;
	int error;

	mutex_lock(&lph.lock);
	error = check(klp);
	if (!error && !try_module_get(klp->mod))
		error = -ENODEV;
	if (error) {
		mutex_unlock(&lph.lock);
		return error;
	}
	patch = kzalloc(struct_size(patch, funcs, count_functions(klp)), GFP_KERNEL);
	if (patch)
		patch->klp = klp;
	error = patch ? take_patch(patch) : -ENOMEM;
	if (error) {
		mutex_unlock(&lph.lock);
		drop_patch(patch);
		module_put(klp->mod);
		return error;
	}
	reinit_completion(&lph.started);
	lph.loading = true;
	lph_forget();
	lph.gone = false;
	lph.target = LPH_OLD;
	lph.wanted = LPH_NEW;
	WRITE_ONCE(lph.patch, patch);
	mutex_unlock(&lph.lock);
	wake_up(&lph.asked);
	wait_for_completion(&lph.started);
	return lph.refused;
}
EXPORT_SYMBOL_GPL(lph_enable_patch);

static int __init lph_init(void)
{
	int error = lph_find_kernel();

	if (error)
		return error;
	init_completion(&lph.started);
	lph.folder = kobject_create_and_add("lph_models", kernel_kobj);
	if (!lph.folder)
		return -ENOMEM;
	error = sysfs_create_file(lph.folder, &model_attribute.attr);
	if (error)
		goto no_files;
	error = lph_tell_begin();
	if (error)
		goto no_files;
	lph.thread = kthread_run(lph_thread, NULL, "lph_models");
	if (IS_ERR(lph.thread)) {
		error = PTR_ERR(lph.thread);
		goto no_thread;
	}
	return 0;
no_thread:
	lph_tell_end();
no_files:
	kobject_put(lph.folder);
	return error;
}

/* Every patch holds a reference, by its import and by what it has taken: none is left here. */
static void __exit lph_exit(void)
{
	kthread_stop(lph.thread);
	lph_tell_end();
	kobject_put(lph.folder);
}

module_init(lph_init);
module_exit(lph_exit);
MODULE_DESCRIPTION("lpharness: consistency models beside the kernel's own");
MODULE_LICENSE("GPL");
