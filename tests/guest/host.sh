# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# Sourced by run for --host: COMMAND on this machine's own kernel. What it asks and checks is the same as in a guest, as
# far as a kernel that others use too allows: messages that another driver logs meanwhile count as well.

# Unloads the module; processes on their way out may hold the device for another moment.
unload_module() {
	local tries
	for ((tries = 0; tries < 20; tries++)); do
		rmmod shmipc 2>/dev/null && return
		sleep 0.1
	done
	rmmod shmipc
}

# Never returns: exits as tests/guest/run promises.
run_on_host() { # COMMAND…
	local why ko answer mark log status=0
	local words
	why=$("$here/host-takes-module") || { echo "run: $why" >&2 && exit "$failed_guest"; }
	[ -z "$icount" ] || die "--icount is for guests"
	[ ! -e /sys/module/shmipc ] || die "the module is loaded already: unload it first (rmmod shmipc)"
	if [ "${SHMIPC_HOST:-}" != yes ]; then
		{ : <>/dev/tty; } 2>/dev/null || die "--host asks on the terminal, and there is none (SHMIPC_HOST=yes skips it)"
		echo "The module will be loaded into the kernel of this machine ($(uname -r)). If it has a bug, that may" >/dev/tty
		printf 'crash the machine or damage its data. Go on? [y/N] ' >/dev/tty
		read -r answer </dev/tty
		case $answer in
		y | Y | yes) ;;
		*) exit "$failed_guest" ;;
		esac
	fi

	if [ -n "$module" ]; then
		ko=$("$here/build-module" --kernel host) || exit "$failed_guest"
		mark="shmipc-host: begin $$ $RANDOM"
		echo "$mark" >/dev/kmsg
		read -ra words <<<"$params"
		insmod "$ko" "${words[@]}" || { echo "run: the module did not load" >&2 && exit "$failed_check"; }
		trap 'unload_module || :' EXIT
	fi
	trap 'status=130' INT
	trap 'status=143' TERM
	export SHMIPC_GUEST=host BUILD=$build CACHE=$cache
	if [ -n "$timeout" ]; then
		timeout --foreground -k 10 "$timeout" "$@" </dev/null || status=$?
		if [ "$status" = 124 ] || [ "$status" = 137 ]; then
			echo "run: no verdict within $timeout s" >&2
			status=$failed_guest
		fi
	else
		"$@" || status=$?
	fi
	[ -n "$module" ] || exit "$status"

	trap - EXIT
	if ! unload_module; then
		echo "run: the module did not unload" >&2
		exit "$failed_check"
	fi
	log=$build/guest/host.log
	dmesg | sed "1,/$mark/d" >"$log"
	find_complaint "$log"
	if [ -n "$complaint" ]; then
		printf 'host: the kernel complained\n%s\nhost: its log is %s\n' "$complaint" "$log" >&2
		exit "$failed_check"
	fi
	exit "$status"
}
