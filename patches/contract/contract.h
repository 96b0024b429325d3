/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two functions and their contract: A (lph_make) makes a token, B (lph_take) takes one. The patch
 * changes both at once: what the new A makes, only the new B understands.
 *
 * Both versions have these bodies and differ in nothing but who they say they are.
 */
#ifndef LPH_CONTRACT_H
#define LPH_CONTRACT_H

#include <linux/ioctl.h>

/* What a task asks of /proc/lph_contract. Small numbers are the file system's own. */
#define LPH_STACK _IO('L', 0)
#define LPH_SYSCALL _IO('L', 1)
#define LPH_MAKE _IO('L', 2)
#define LPH_TAKE _IO('L', 3)
#define LPH_HAND_OVER _IO('L', 4)
#define LPH_RECEIVE _IO('L', 5)

#ifdef __KERNEL__

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/types.h>

enum lph_version { LPH_OLD = 0, LPH_NEW = 1 };

struct lph_token {
	enum lph_version made_by;
	atomic_long_t (*met)[2];		/* [made by][taken by]; NULL: it is not counted */
	void (*then)(struct lph_token *token);	/* what A calls from within */
	bool (*await)(struct lph_token *token);	/* where B waits for what it takes; false: none came */
};

static __always_inline void lph_make_as(struct lph_token *token, enum lph_version version)
{
	token->made_by = version;
	if (token->then)
		token->then(token);
	barrier();	/* a call in the last place would leave A's frame */
}

static __always_inline void lph_take_as(struct lph_token *token, enum lph_version version)
{
	if (token->await && !token->await(token))
		return;
	if (token->met)
		atomic_long_inc(&token->met[token->made_by][version]);
	barrier();
}

#endif /* __KERNEL__ */
#endif
