# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Schedules, bursts, mixed sizes, sessions, other load; and what is said while it runs. Sourced by run.

names() { # WORD ARGUMENTS…: refuses, and says which option is wrong
	local word=$1
	shift
	refuses "$@" && grep -qe "^shmipc-bench: $word" "$dir/refusal"
}

prints() { # PATTERN ARGUMENTS…: runs, and prints a line like that
	local pattern=$1
	shift
	runs "$@" >"$dir/table" 2>&1
	local status=$?
	cat "$dir/table"
	[ "$status" = 0 ] && grep -qe "$pattern" "$dir/table"
}

check "sizes are mixed as their weights say" "${BUILD:-build}"/tests/bench/mix
check "what is due is due in time, and waiting for it is booked" "${BUILD:-build}"/tests/bench/schedule

# io_uring is there, or it is said why not.
if "$bench" --list | grep -q '^  uds-uring .*(not here'; then
	check "what the kernel refuses is refused by name, with the reason" \
		names '--transport: uds-uring does not work here: the kernel' ping-pong --transport uds-uring
elif "$bench" --list | grep -q '^  uds-uring '; then
	check "io_uring carries every workload" runs ping-pong --transport uds-uring --size 64,8k,1m --count 200 --cpus free
	check "in two system calls a round trip" says '.rows[0].syscalls_per_msg | . > 1.5 and . < 2.5'
	check "one ring serves many sockets" runs stream --transport uds-uring --streams 6 --count 6000 --cpus free
	check "and several threads have one for each" runs stream --transport uds-uring --streams 6 --threads 3 \
		--count 6000 --cpus free
	check "which stays while sockets come and go" runs open-close --transport uds-uring --count 200 --cpus free
fi

# Schedules.
check "rate runs on every transport" runs rate --transport all --rate 5k --count 500 --cpus free
check "and on streams in place, and on channels" runs rate --transport memfd --level channel,stream --api copy,place \
	--sync demand,adaptive --rate 5k --count 500 --cpus free
check "each rate is a row" runs rate --transport uds,memfd --rate 500,2k --count 300 --cpus free
check "with what was offered and what was achieved" says '.rows | length == 4 and all(.[]; .arrivals == "uniform" and
	(.offered_per_s / .rate_per_s | . > 0.99 and . < 1.01) and .msgs_per_s <= .offered_per_s and .late_p50_ns >= 0) and
	(map(.rate_per_s) | unique) == [500, 2000]'
check "and its tail" says 'all(.rows[]; .p50_ns <= .p90_ns and .p90_ns <= .p99_ns and .p99_ns <= .max_ns)'
check "random arrivals run" runs rate --transport uds,pipe --rate 2k --arrivals poisson --count 400 --cpus free
check "and are the same for all" says '[.rows[].offered_per_s] | length == 2 and (.[0] - .[1] | fabs) < 0.01 and
	(.[0] / 2000 - 1 | fabs | . > 0.001 and . < 0.3)'
check "a rate that cannot be met is shown as such" \
	prints '^NOTE: rows with ! fell behind' rate --transport uds --rate 20m --count 5000 --cpus free
check "and its latencies are those of a queue that grows" says '.rows[0] | .msgs_per_s < 0.5 * .offered_per_s and
	.max_ns > 0.5e9 * .count / .msgs_per_s'

children() { # PID: a line each
	cat "/proc/$1/task/$1/children" 2>/dev/null | xargs -rn1
}

# One second of requests in which the server is stopped for 0.3 s: a tenth of them waited for most of that.
stalls() {
	local pid server status
	timeout 60 "$bench" rate --transport uds --rate 1k --count 1000 --cpus free --json "$dir/rows.json" &
	pid=$!
	for _ in $(seq 100); do
		sleep 0.05
		server=$(children "$(children $pid)" | sort -n | sed -n 2p)
		[ -n "$server" ] && break
	done
	[ -n "$server" ] || return 1
	sleep 0.5
	kill -STOP "$server" && sleep 0.3
	kill -CONT "$server"
	wait $pid
	status=$?
	return $status
}
check "a server stalls for a while" stalls
check "and all requests that were due meanwhile are charged with it" says '.rows[0].p90_ns > 100e6'

check "several threads keep to one schedule, over several sessions" runs rate --transport memfd,uds --rate 4k \
	--streams 8 --sessions 4 --threads 2 --count 800 --cpus free
check "and the row says so" says 'all(.rows[]; .streams == 8 and .sessions == 4 and .threads == [2, 2] and
	(.offered_per_s | . > 3950 and . < 4050))'
check "burst runs on every transport" runs burst --transport all --burst 16 --interval 1ms --count 320 --cpus free
check "bursts are shared out among streams, and published in groups" runs burst --transport memfd,uds --burst 64 \
	--interval 2ms --streams 4 --threads 2 --batch 5 --count 1280 --cpus free
check "and each is a row with its figures" says '.rows | length == 2 and all(.[]; .burst == 64 and .interval_ns == 2e6 and
	(.offered_per_s / 32000 | . > 0.99 and . < 1.01) and .p50_ns <= .max_ns and .wakes_per_msg >= 0)'
check "bursts at random times run" runs burst --transport uds --arrivals poisson --count 640 --cpus free
check "a rate of 0 is refused" names --rate: rate --rate 0
check "a rate that is no number is refused" names --rate: rate --rate 10k,fast
check "a rate of ping-pong is refused" names --rate: ping-pong --rate 10k
check "arrivals of ping-pong are refused" names --arrivals: ping-pong --arrivals uniform
check "unknown arrivals are refused" names --arrivals: rate --arrivals late
check "a burst of a rate is refused" names --burst: rate --burst 10
check "an interval of a stream is refused" names --interval: stream --interval 1ms
check "an interval without a unit is refused" names --interval: burst --interval 10
check "an interval of hours is refused" names --interval: burst --interval 3600s
check "a burst that streams cannot share is refused" names --burst: burst --burst 10 --streams 4
check "a server of a rate with fewer threads is refused" names --threads: rate --streams 4 --threads 2,1

# Sizes.
mix=mix:1=10,64=50,5k=5
check "mixed sizes run on every transport, each of the right length" \
	runs ping-pong --transport all --size $mix --count 500 --cpus free
check "and are the same messages for all" says '[.rows[] | .bytes_per_s / .msgs_per_s / 2] | length > 9 and
	max - min < 0.01 and min > 200 and max < 800'
check "a row names its mix and the mean size" says 'all(.rows[]; .mix == "1=10,64=50,5k=5" and .size == 443)'
check "mixed sizes run one way, one by one" runs stream --transport all --size $mix --count 5000 --cpus free
check "and in batches, on streams" runs stream --transport memfd,uds,spin --level channel,stream --api copy,place \
	--size $mix --batch 7 --streams 1 --count 5000 --cpus free
check "and at a rate, in a call, in bursts" eval 'for w in rate call burst; do
	runs $w --transport memfd,uds --size mix:rpc --count 640 --cpus free || exit 1; done'
check "a mix stands in a list among sizes" runs ping-pong --transport uds --size 64,$mix,1k,mix:log --count 100 --cpus free
check "and each is a row" says '[.rows[].mix] == [null, "1=10,64=50,5k=5", null, "log"]'
check "the table shows it" prints '^ping-pong  uds .* mix~443 ' ping-pong --transport uds --size $mix --count 100 --cpus free
for wrong in mix: mix:64 mix:64=0 mix:64=-1 mix:0=5 64=5 64,128=5 mix:nothing mix:rpc,64=5 mix:65m=1; do
	check "a size of $wrong is refused" names --size: ping-pong --size $wrong
done
check "more sizes than a mix has room for are refused" names --size: ping-pong \
	--size "mix:$(seq -s, 1 17 | sed 's/\([0-9]\+\)/\1=1/g')"

# Under which conditions.
check "touched and untouched payload is a row each" \
	prints '^ping-pong  uds .* none ' ping-pong --transport uds --touch all,none --size 64,4k --count 100 --cpus free
check "and says which it is" says '[.rows[].touch] == ["all", "none", "all", "none"]'
check "an unknown touch is refused" names --touch: ping-pong --touch some
check "rows are compared with what was touched alike" runs ping-pong --transport uds,pipe --touch all,none \
	--count 100 --cpus free --repeat 2 --base uds
check "other work is a row for each level" runs ping-pong --transport uds --load 0,1,all --count 100 --cpus free
check "and is counted" says '[.rows[] | .load] | .[0] == 0 and .[1] == 1 and .[2] == '"$(nproc)"
check "--busy is all of it" runs ping-pong --transport uds --busy --count 100 --cpus free
check "and says so" says '.rows[0] | .busy and .load == '"$(nproc)"
check "a load that is no number is refused" names --load: ping-pong --load much
check "streams are spread over sessions" runs stream --transport memfd --level stream --streams 6 --sessions 3 \
	--threads 3 --count 6000 --cpus free
check "and what all of them did is counted" says '.rows[0] | .sessions == 3 and .syscalls_per_msg >= 0'
check "more sessions than streams are refused" names --sessions: stream --transport uds --streams 2 --sessions 3
check "sessions of ping-pong are refused" names --sessions: ping-pong --transport uds --sessions 2
check "sessions of what cannot connect are refused" refuses stream --transport pipe --sessions 2
check "switches are told apart" says '.rows[0] | (.voluntary_per_msg + .involuntary_per_msg - .switches_per_msg | fabs) < 1e-6'

# Where standard error is no terminal, the turns are all that is said.
turns_only() {
	"$bench" ping-pong --transport uds --size 64,1k --count 50 --cpus free --repeat 2 2>&1 >"$dir/table" | tee "$dir/turns"
	[ "$(cat "$dir/turns")" = $'shmipc-bench: turn 1 of 2\nshmipc-bench: turn 2 of 2' ]
}
check "without a terminal only turns are said" turns_only
on_terminal() {
	script -qec "$bench ping-pong --transport uds --size 64,1k --count 50 --cpus free --repeat 2" /dev/null </dev/null |
		tee "$dir/terminal"
	grep -q 'row 2 of 2, turn 2 of 2, about [0-9]* s left' "$dir/terminal"
}
check "a terminal shows row, turn and what is left" on_terminal
