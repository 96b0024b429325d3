// SPDX-License-Identifier: GPL-2.0-only
/*
 * The new contract. A comes first: who redirects functions one by one has a new A and an old B.
 *
 * The third has no part in it: only what its calls cost is of interest.
 */
#include "contract.h"
#include "lph_livepatch.h"

static void lph_make_new(struct lph_token *token)
{
	lph_make_as(token, LPH_NEW);
}

static void lph_take_new(struct lph_token *token)
{
	lph_take_as(token, LPH_NEW);
}

static unsigned long lph_timed_new(unsigned long value)
{
	asm volatile("# timed, new" : "+r" (value));
	return value;
}

LPH_LIVEPATCH("lph_contract",
	{ .old_name = "lph_make", .new_func = lph_make_new },
	{ .old_name = "lph_take", .new_func = lph_take_new },
	{ .old_name = "lph_timed", .new_func = lph_timed_new });
