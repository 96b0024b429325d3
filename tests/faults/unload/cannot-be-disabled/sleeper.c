// SPDX-License-Identifier: GPL-2.0-only
/* Sleeps in pause(2) for ever. */
#include <unistd.h>

int main(void)
{
	for (;;)
		pause();
}
