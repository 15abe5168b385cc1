# SPDX-License-Identifier: Apache-2.0
#
# What the bench's tests have in common. Sourced from the top of the tree: sets bench, and dir, a folder of the test's own.
# shellcheck shell=bash disable=SC2034
bench=${BENCH-bench/shmipc-bench}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

check() { # NAME COMMAND…
	local name=$1
	shift
	if "$@" >"$dir/out" 2>&1; then
		echo "ok - $name"
		passed=$((passed + 1))
	else
		echo "not ok - $name"
		sed 's/^/# /' "$dir/out"
		failed=$((failed + 1))
	fi
}

refuses() { # ARGUMENTS…: exit status 2 and a word on why
	local status=0
	timeout 60 "$bench" "$@" >"$dir/refusal" 2>&1 || status=$?
	cat "$dir/refusal"
	[ "$status" = 2 ] && [ -s "$dir/refusal" ]
}

negate() {
	! "$@"
}

runs() {
	timeout 120 "$bench" "$@" --json "$dir/rows.json"
}

says() { # JQ-CONDITION
	jq -e "$1" "$dir/rows.json"
}

sum_up() {
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ] && [ "$passed" != 0 ]
}
