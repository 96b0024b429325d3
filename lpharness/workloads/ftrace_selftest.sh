#!/bin/sh
# Runs one of the kernel's own ftrace tests: ftrace_selftest.sh list | run TEST | end
#
# Each runs in an instance of tracefs that it takes for the whole: so it neither sees nor clears
# the probes of the harness, which are events of all instances. The events are hidden from it too:
# resetting fifteen hundred of them before each test takes longer than the test.
#
# Of what ftracetest tells only the first result counts: it runs some tests a second time in an
# instance of their own, which an instance cannot have.

tests="ftrace/func-filter-pid.tc ftrace/func-filter-stacktrace.tc 00basic/trace_pipe.tc"

here=$(dirname "$0")
tracing=/sys/kernel/tracing
instance=$tracing/instances/lph_suite
sched=/proc/sys/kernel/sched_rt_runtime_us # ftracetest changes it while it runs

run() {
	# shellcheck disable=SC2016 # the inner shell is to expand them
	unshare --mount sh -c '
		mount --make-rprivate / 2>/dev/null
		mount --bind "$1" "$2" && mount -t tmpfs none "$2/events" && touch "$2/events/enable" &&
		cd "$3/tools/testing/selftests/ftrace" && exec ./ftracetest --logdir /run/lph-suite/logs \
			--fail-unsupported --fail-unresolved "test.d/$4"' \
		sh "$instance" "$tracing" "$here" "$1" >"$here/said" 2>&1
	grep -q '^\[1\].*\[PASS\]' "$here/said"
}

case $1 in
list)
	cat $sched >"$here/sched"
	mkdir "$instance" && echo "$tests" | tr ' ' '\n'
	;;
run)
	run "$2" || { grep '^\[1\]' "$here/said"; exit 1; }
	;;
end)
	cat "$here/sched" >$sched
	rmdir "$instance"
	;;
esac
