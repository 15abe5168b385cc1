# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# The module's own commands. Sourced by run; in a guest, where the module is loaded and its file is where init put it.

module_tests=(
	status_says_that_the_module_is_loaded
	doctor_finds_the_module_in_order
	a_user_without_the_device_is_told_what_to_do
	unload_is_refused_while_in_use_and_says_by_whom
	unload_waits_for_those_who_finish
	unload_is_refused_to_others_than_root
	load_from_a_file_with_parameters
	load_from_a_tree_takes_the_one_for_this_kernel
	load_refuses_parameters_that_the_module_has_not
	load_explains_a_module_for_another_kernel
	load_is_refused_to_others_than_root
	load_of_a_loaded_module_is_no_error
	status_without_the_module_is_status_1
	top_lets_go_of_a_channel_that_ended
	trace_shows_what_happens
)
no_module_tests=(
	status_without_a_module_says_so
	load_without_a_module_says_where_it_looked
	trace_without_the_module_says_so
)

ko=/run/guest/shmipc.ko

loaded() { [ -d /sys/module/shmipc ]; }
load_again() { loaded || "$ctl" load "$ko" >/dev/null || say "the module does not load again"; }
nobody_uses_it() {
	for _ in $(seq 200); do
		[ "$(cat /sys/module/shmipc/refcnt)" = 0 ] && return
		sleep 0.05
	done
	say "the module is still in use"
}

# A kernel with versions of its symbols does not look at the release, but at the rest of the magic.
for_another_kernel() {
	sed "s/vermagic=$(uname -r | head -c 3)\([^ ]*\) SMP/vermagic=9.9\1 XMP/" "$ko"
}

status_says_that_the_module_is_loaded() {
	start live || return
	run status --json
	exits 0 && fits status && is '.loaded and .kmod_channels == 1 and .memfd_channels == 0' &&
		is '.device.usable and (.parameters | has("max_bytes"))' && is ".module_version == \"$(cat VERSION)\"" || return
	run status
	exits 0 && shows '^module +loaded, version' && shows '^device +/dev/shmipc crw' && shows '^parameter +max_channels='
}

doctor_finds_the_module_in_order() {
	run doctor --json
	exits 0 && fits doctor && is '.lines[] | select(.check == "module") | .verdict == "ok"' &&
		is '.lines[] | select(.check == "device") | .verdict == "ok"' &&
		is '.lines[] | select(.check == "tracing") | .verdict == "ok"'
}

a_user_without_the_device_is_told_what_to_do() {
	run_as 65534 doctor --json
	exits 0 && fits doctor && is '.lines[] | select(.check == "device") | .verdict == "warn" and (.command | length > 0)' &&
		is '.lines[] | select(.check == "sight") | .verdict == "note"'
}

unload_is_refused_while_in_use_and_says_by_whom() {
	start live || return
	run unload
	exits 2 && tells 'in use' && tells "pid $parent \(fixture, uid 0\) has endpoint 0" &&
		tells "pid $child \(fixture-child, uid 0\) has endpoint 1" && loaded
}

unload_waits_for_those_who_finish() {
	start live || return
	(
		sleep 1
		kill "$parent"
	) 9>&- &
	run unload --wait "${limit}s"
	exits 0 && ! loaded || say "it is still loaded" || return
	load_again
}

unload_is_refused_to_others_than_root() {
	nobody_uses_it && run_as 65534 unload
	exits 2 && tells 'only root' && loaded
}

load_from_a_file_with_parameters() {
	nobody_uses_it && run unload
	exits 0 && ! loaded || return
	run load "$ko" max_bytes=64M max_channels=12
	exits 0 && shows "^loaded: shmipc $(cat VERSION), /dev/shmipc crw" || return
	run status --json
	is '.parameters.max_bytes == "67108864" and .parameters.max_channels == "12"' || return
	run unload
	exits 0 && load_again
}

load_from_a_tree_takes_the_one_for_this_kernel() {
	run unload
	exits 0 || return
	mkdir -p "$work/tree/a/b"
	cp "$ko" "$work/tree/a/b/shmipc.ko"
	# One whose kernel is another's, that a search may meet first.
	for_another_kernel >"$work/tree/a/shmipc.ko"
	run load "$work/tree" --dry-run
	exits 0 && shows "$work/tree/a/b/shmipc.ko" || return
	run load "$work/tree"
	exits 0 && loaded
}

load_refuses_parameters_that_the_module_has_not() {
	run unload
	exits 0 || return
	run load "$ko" max_pigs=3
	exits 2 && tells 'no such parameter' && tells 'max_bytes=ulong: ' && ! loaded || return
	run load "$ko" max_bytes=many
	exits 2 && tells 'a size' && ! loaded || return
	run load "$ko" 'max_channels=1 evil=2'
	exits 2 && ! loaded || return
	load_again
}

load_explains_a_module_for_another_kernel() {
	run unload
	exits 0 || return
	for_another_kernel >"$work/other.ko"
	run load "$work/other.ko"
	exits 2 && tells "was built for kernel 9.9.*this one is $(uname -r)" && tells 'make module KDIR=' && ! loaded || return
	run load /etc/passwd
	exits 2 && tells 'no kernel module' || return
	run load "$work/nowhere.ko"
	exits 2 && tells 'No such file' || return
	load_again
}

load_is_refused_to_others_than_root() {
	cp "$ko" "$work/mine.ko"
	chmod 644 "$work/mine.ko"
	run unload
	exits 0 || return
	run_as 65534 load "$work/mine.ko"
	exits 2 && tells 'only root' && ! loaded || return
	load_again
}

load_of_a_loaded_module_is_no_error() {
	load_again || return
	run load "$ko"
	exits 0 && shows 'loaded already' || return
	run load "$ko" max_bytes=1G
	exits 2 && tells 'parameters can be changed'
}

status_without_the_module_is_status_1() {
	run unload
	exits 0 && shows unloaded || return
	run status --json
	exits 1 && fits status && is '.loaded == false and .device == null' || return
	run unload
	exits 0 && shows 'not loaded' || return
	run trace -t 100ms
	exits 2 && tells 'not loaded' || return
	run doctor --json
	exits 0 && is '.lines[] | select(.check == "module") | .verdict == "warn" and (.command | length > 0)' || return
	load_again
}

# A tool that looks keeps nothing alive for longer than until its next scan.
top_lets_go_of_a_channel_that_ended() {
	local top result=0
	start live || return
	"$ctl" top -b -d 200ms >/dev/null 2>&1 9>&- &
	top=$!
	sleep 1
	stop
	nobody_uses_it || result=1
	kill "$top"
	wait "$top" 2>/dev/null
	return $result
}

trace_shows_what_happens() {
	local number trace result=0
	"$ctl" trace --json --time "${limit}s" --event ring --event wait --event create --count 30 >"$work/stdout" 2>"$work/stderr" 9>&- &
	trace=$!
	sleep 2
	start trickle || return
	wait "$trace" || result=$?
	[ "$result" = 0 ] || say "status $result: $(cat "$work/stderr")" || return
	fits trace --lines && jq -es 'length == 30 and (map(.event) | unique | contains(["create", "ring"]))' "$work/stdout" \
		>/dev/null || say "$(head -n 5 "$work/stdout")" || return
	jq -es 'all(.[] | select(.event == "create"); .comm == "fixture")' "$work/stdout" >/dev/null ||
		say "created by somebody else: $(grep create "$work/stdout" | head -n 3)" || return
	run list --json
	number=$(jq '.channels[0].kmod_number' "$work/stdout")
	run trace --channel "$number" --count 5 --time "${limit}s"
	exits 0 && shows 'rings for sleep [0-9]+|wait [0-9]+ was rung for' || return
	run trace --channel 999999 --time 500ms
	exits 0 && [ ! -s "$work/stdout" ] || return
	[ -z "$(ls /sys/kernel/tracing/instances)" ] || say "an instance was left behind"
}

status_without_a_module_says_so() {
	run status
	exits 1 && shows 'not loaded' || return
	run status --json
	exits 1 && fits status
}

load_without_a_module_says_where_it_looked() {
	run load
	exits 2 && tells "no module 'shmipc' is installed for kernel $(uname -r)" || return
	run load "$work"
	exits 2 && tells "no shmipc.ko below" || return
	run unload
	exits 0 && shows 'not loaded'
}

trace_without_the_module_says_so() {
	run trace --time 100ms
	exits 2 && tells 'module is not loaded'
}
