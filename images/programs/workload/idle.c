// SPDX-License-Identifier: GPL-2.0-only
/* idle: nearly no load, yet each CPU's heartbeat is measured. */
#include "workload.h"

#define BEAT_MS	10

void beat_until_stopped(struct worker *self)
{
	while (!stopping()) {
		sleep_ms(BEAT_MS);
		done(self, true);
	}
}

const struct kind idle = {
	.name = "idle",
	.summary = "a heartbeat on each CPU, each 10 ms",
	.work = beat_until_stopped,
};
