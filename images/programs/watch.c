// SPDX-License-Identifier: GPL-2.0-only
/* Entry point of /lph/watch: see watch/watch.h. */

#include <stdio.h>
#include <string.h>

#include "watch/watch.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
} commands[] = {
	{ "load", command_load, "FILE [PARAMETERS]     finit_module" },
	{ "unload", command_unload, "NAME WAIT_MS      wait for the reference count, delete_module" },
	{ "bytes", command_bytes, "ADDRESS:LENGTH...   kernel memory from /proc/kcore" },
	{ "shadows", command_shadows, "ADDRESS           ids of the shadow variables in klp_shadow_hash" },
	{ "vitals", command_vitals, "[WITNESS_PID]      boot id, uptime, taint, modules" },
	{ "witness", command_witness, "                  hold a TCP connection; a line in, an answer out" },
	{ "heartbeat", command_heartbeat, "              beat on each CPU and tell of gaps until stdin ends" },
	{ "clocks", command_clocks, "INSTANCE           a trace clock beside the boot clock" },
	{ "transitions", command_transitions, "[models]       watch livepatch transitions until stdin ends" },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 2, argv + 2);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, "watch %s %s\n", commands[i].name, commands[i].usage);
	return 2;
}
