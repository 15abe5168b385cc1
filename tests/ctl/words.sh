# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# Help, manual pages, arguments, files and sockets; and what must be quick. Sourced by run; wants no module.

word_tests=(
	every_command_has_help_that_says_all_its_options
	every_option_of_help_is_in_the_manual_page_and_no_other
	manual_pages_are_good_roff
	wrong_arguments_are_status_2_and_explained
	output_that_cannot_be_written_is_no_success
	colour_is_for_terminals_only
	a_channel_is_found_by_its_first_digits
	a_damaged_dump_is_refused_or_shown_and_never_a_crash
	a_process_that_only_names_its_memory_so_misleads_nobody
	metrics_answer_on_a_unix_socket
	metrics_answer_on_loopback_and_nowhere_else
	metrics_are_not_held_up_by_a_client_that_says_nothing
	list_of_1000_channels_takes_less_than_half_a_second
	top_of_100_channels_takes_less_than_one_percent
)

all_commands=(load unload status doctor list top stat leaks dump trace metrics man)

every_command_has_help_that_says_all_its_options() {
	local command
	run --help
	exits 0 || return
	for command in "${all_commands[@]}"; do
		shows "^  $command " || return
	done
	for command in "${all_commands[@]}"; do
		run "$command" --help
		exits 0 && shows "^Usage: shmipcctl $command " && shows '^  -h, --help' && shows '^Exit status: 0' || return
		[ "$(wc -L <"$work/stdout")" -le 100 ] || say "$command: lines of $(wc -L <"$work/stdout") columns" || return
	done
	run --version
	exits 0 && shows "^shmipcctl $(cat VERSION)\$"
}

every_option_of_help_is_in_the_manual_page_and_no_other() {
	local command
	for command in "${all_commands[@]}"; do
		run "$command" --help
		grep -oE '^ +(-., )?--[a-z-]+' "$work/stdout" | grep -oE -- '--[a-z-]+' | sort >"$work/help"
		run man "$command"
		exits 0 && shows "^\.SH OPTIONS" || return
		sed -n '/^\.SH OPTIONS/,/^\.SH EXIT/p' "$work/stdout" | grep -aoE '\\fB\\-\\-[a-z\\-]+' |
			sed 's/\\fB//; s/\\-/-/g; s/\\f$//' | sort >"$work/page"
		cmp "$work/help" "$work/page" || say "$command: --help and the page differ" || return
	done
	run man
	for command in "${all_commands[@]}"; do
		shows "^\.BR shmipcctl.-$command \(8\)" || return
	done
}

manual_pages_are_good_roff() {
	local command
	command -v groff >/dev/null || { skip "no groff"; return; }
	for command in "" "${all_commands[@]}"; do
		# shellcheck disable=SC2086 # none, or one
		run man $command
		exits 0 || return
		groff -man -Tascii -ww -z "$work/stdout" >"$work/warnings" 2>&1
		[ ! -s "$work/warnings" ] || say "$command: $(head -n 3 "$work/warnings")" || return
	done
}

wrong_arguments_are_status_2_and_explained() {
	local line
	while read -r line; do
		# shellcheck disable=SC2086 # words
		run $line
		exits 2 || say "$line" || return
		[ -s "$work/stderr" ] || say "$line: no word" || return
	done <<-END
		nonsense
		list --nonsense
		list extra
		list --pid zero
		list --pid 0
		stat
		stat a b
		stat beef -n 3
		stat nosuch
		leaks --older soon
		leaks --older -1s
		leaks --sort colour
		leaks --content 0
		leaks --content 1000
		leaks ffff
		dump
		dump beef --read /dev/null
		dump --read /nonexistent
		dump --read /dev/null
		dump --read /
		dump --content beef
		top --delay 1ms
		top --sort taste
		top extra
		trace --event nonsense
		metrics --listen 9999999
		metrics --socket a --file b
		metrics --listen nowhere
		unload extra
		man nonsense
	END
	run
	exits 2
}

output_that_cannot_be_written_is_no_success() {
	status=0
	"$ctl" list --help >/dev/full 2>"$work/stderr" || status=$?
	status=0
	"$ctl" list >/dev/full 2>"$work/stderr" || status=$?
	exits 2 && tells 'cannot write'
}

colour_is_for_terminals_only() {
	start hung || return
	run list
	exits 0 && hides $'\033' || return
	script -qec "$ctl list" /dev/null </dev/null >"$work/stdout" 2>&1
	shows $'\033\\[' || return
	NO_COLOR=1 script -qec "$ctl list" /dev/null </dev/null >"$work/stdout" 2>&1
	hides $'\033' && shows hung\|live
}

a_channel_is_found_by_its_first_digits() {
	local name
	start hung || return
	run list --json --pid "$parent"
	name=$(jq -r '.channels[0].channel' "$work/stdout")
	run stat "${name:0:6}" --json
	exits 0 && is ".channel.channel == \"$name\"" || return
	run stat "${name:0:3}"
	exits 2
}

a_damaged_dump_is_refused_or_shown_and_never_a_crash() {
	start grown || return
	run dump "pid:$child" -o "$work/good.dump" --content --force
	exits 0 || return
	stop
	timeout $((limit * 4)) "$here/damage" "$ctl" "$work/good.dump" "$work/bad.dump"
}

# Its memfds have the names, but no lanes are in them; one can be cut while it is looked at, one is enormous.
a_process_that_only_names_its_memory_so_misleads_nobody() {
	python3 "$here/impostor.py" >"$work/out" 9>&- &
	local impostor=$! command
	for _ in $(seq 200); do
		grep -q ready "$work/out" && break
		sleep 0.05
	done
	for command in "list" "list --json" "leaks" "metrics" "doctor" "top -b -n 1 -d 100ms" "dump 00000000deadbeef"; do
		# shellcheck disable=SC2086 # words
		run $command
		[ "$status" -le 2 ] || { kill "$impostor"; say "$command: status $status"; return; }
	done
	run list --json --pid "$impostor"
	kill "$impostor"
	wait "$impostor" 2>/dev/null
	exits 0 && fits list && is 'all(.channels[]; .state == "corrupt" or .state == "unseen")' && is '.channels | length > 2'
}

ask() { # CURL-LIKE: python, so that curl need not be there
	python3 - "$@" <<-'END'
		import socket, sys
		where, request = sys.argv[1], sys.argv[2]
		if where.startswith("/"):
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(20)
		    s.connect(where)
		else:
		    s = socket.create_connection((where.split(":")[0], int(where.split(":")[1])), 20)
		s.sendall(request.encode().decode("unicode_escape").encode())
		answer = b""
		while True:
		    piece = s.recv(65536)
		    if not piece:
		        break
		    answer += piece
		sys.stdout.buffer.write(answer)
	END
}

# Waits until a server answers.
served() { # WHERE
	for _ in $(seq 200); do
		ask "$1" 'GET /metrics HTTP/1.1\r\n\r\n' >"$work/stdout" 2>/dev/null && return
		sleep 0.05
	done
	say "no answer on $1"
}

metrics_answer_on_a_unix_socket() {
	local server result=1
	start hung || return
	# Left over by one that was killed.
	python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$work/socket')"
	"$ctl" metrics --socket "$work/socket" 9>&- &
	server=$!
	if served "$work/socket" && shows '^HTTP/1.1 200 OK' && shows "shmipc_queue_messages\{.*endpoint=\"0\".*\} 5"; then
		sed '1,/^\r$/d' "$work/stdout" | "$here/check-metrics" && result=0
		ask "$work/socket" 'GET /secret HTTP/1.1\r\n\r\n' >"$work/stdout"
		shows '^HTTP/1.1 404' || result=1
		ask "$work/socket" 'POST /metrics HTTP/1.1\r\n\r\n' >"$work/stdout"
		shows '^HTTP/1.1 405' || result=1
		ask "$work/socket" 'HEAD /metrics HTTP/1.1\r\n\r\n' >"$work/stdout"
		shows '^Content-Length: [1-9]' && hides '# HELP' || result=1
		[ "$(stat -c %a "$work/socket")" = 660 ] || say "mode $(stat -c %a "$work/socket")" || result=1
	fi
	kill "$server"
	wait "$server" || say "status $?" || result=1
	[ ! -e "$work/socket" ] || say "the socket was left behind" || result=1
	return $result
}

metrics_answer_on_loopback_and_nowhere_else() {
	local server result=0 where port=$((20000 + RANDOM % 20000))
	for where in 0.0.0.0:9464 192.168.1.1:9464 "[::]:9464" 8.8.8.8:1; do
		run metrics --listen "$where"
		exits 2 && tells 'loopback' || return
	done
	"$ctl" metrics --listen "$port" 9>&- &
	server=$!
	served "127.0.0.1:$port" && shows '^shmipc_module_loaded [01]' || result=1
	kill "$server"
	wait "$server" || result=1
	return $result
}

metrics_are_not_held_up_by_a_client_that_says_nothing() {
	local server result=0
	"$ctl" metrics --socket "$work/quiet" 9>&- &
	server=$!
	served "$work/quiet" || result=1
	python3 -c "
import socket, time
s = [socket.socket(socket.AF_UNIX) for _ in range(2)]
for one in s:
    one.connect('$work/quiet')
s[0].sendall(b'GET /met')
time.sleep(30)" 9>&- &
	local silent=$!
	sleep 0.3
	served "$work/quiet" && shows '^HTTP/1.1 200' || result=1
	kill "$silent" "$server"
	wait "$server" "$silent" 2>/dev/null
	return $result
}

# The best of five; and processor time, as the machine has other things to do.
list_of_1000_channels_takes_less_than_half_a_second() {
	local best=999999 ms from user system
	[ -z "${SHMIPC_EMULATED-}${SHMIPC_SLOW-}" ] || { skip "time is not what it is elsewhere"; return; }
	[ "$(ulimit -n)" -ge 4000 ] || ulimit -n 4000 || { skip "too few files allowed"; return; }
	start trickle 1000 || return
	for _ in 1 2 3 4 5; do
		from=$(date +%s%N)
		{ TIMEFORMAT='%U %S' && time "$ctl" list --pid "$parent" >"$work/stdout" 2>"$work/stderr" 9>&-; } 2>"$work/times"
		echo "# $((($(date +%s%N) - from) / 1000000)) ms on the clock"
		read -r user system <"$work/times"
		ms=$(awk "BEGIN { printf \"%d\", ($user + $system) * 1000 }")
		[ "$ms" -ge $best ] || best=$ms
	done
	[ "$(grep -c live "$work/stdout")" = 1000 ] || say "not 1000 channels" || return
	echo "# list of 1000 channels: $best ms"
	[ $best -lt 500 ]
}

top_of_100_channels_takes_less_than_one_percent() {
	local seconds=10
	[ -z "${SHMIPC_EMULATED-}${SHMIPC_SLOW-}" ] || { skip "time is not what it is elsewhere"; return; }
	start trickle 100 || return
	{ TIMEFORMAT='%U %S' && time "$ctl" top -p "$parent" -b -d 1s -n $seconds >"$work/stdout" 2>"$work/stderr" 9>&-; } 2>"$work/times"
	[ "$(grep -c '^100 channels' "$work/stdout")" = $seconds ] || say "$(head -n 2 "$work/stdout")" || return
	awk -v s=$seconds '{ p = ($1 + $2) / s * 100 } END { printf "# top of 100 channels: %.2f %%\n", p; exit p >= 1 }' \
		"$work/times"
}
