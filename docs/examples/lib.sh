# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the examples' test scripts share: source it, check things, end with `finish`.
#
# Every program gets its address and its time from here; whatever still runs at the end is killed.

work=$(mktemp -d)
started=()
failed=0

cleanup() {
	local pid
	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null
	done
	wait
	rm -rf "$work"
}
trap cleanup EXIT

check() { # NAME COMMAND…
	local name=$1
	shift
	if "$@"; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		failed=1
	fi
}

# Start a server in the background, which listens on the path $1, and wait until it does. A socket that an older one
# left there is another file.
start() { # PATH COMMAND…
	local path=$1 i before
	shift
	before=$(stat -c '%i %z' "$path" 2>/dev/null)
	"$@" >"$work/server.out" 2>"$work/server.err" &
	started+=($!)
	for ((i = 0; i < 500; i++)); do
		[ ! -S "$path" ] || [ "$(stat -c '%i %z' "$path")" = "$before" ] || return 0
		kill -0 $! 2>/dev/null || break
		sleep 0.02
	done
	cat "$work/server.err"
	return 1
}

# Stop the server that was started last, as a user would; its exit status.
stop() {
	local pid=${started[-1]}
	unset 'started[-1]'
	kill -TERM "$pid" && wait "$pid"
}

prints() { # EXPECTED COMMAND…
	local expected=$1 got
	shift
	got=$(timeout 20 "$@" 2>&1)
	[ "$got" = "$expected" ] || { echo "# $* printed '$got', not '$expected'" && return 1; }
}

finish() {
	exit "$failed"
}
