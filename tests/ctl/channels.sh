# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# Channels in every state, looked at with every command. Sourced by run; once for each backend.

channel_tests=(
	list_shows_a_channel_once_with_both_its_processes
	list_shows_what_is_queued_for_a_process_that_hangs
	list_calls_a_channel_stopped_whose_process_is
	list_calls_a_channel_hung_up_whose_process_was_killed
	list_calls_a_channel_new_that_was_not_handed_over
	list_takes_two_channels_of_the_same_processes_apart
	list_shows_a_session_with_its_streams_and_address
	list_selects_by_process_and_state
	stat_shows_counters_and_rates
	stat_of_a_channel_that_goes_ends
	a_broken_record_is_named_and_hides_nothing_else
	each_broken_invariant_is_named
	a_channel_in_use_breaks_no_invariant
	dump_writes_a_file_that_shows_the_same_elsewhere
	dump_leaves_content_out_unless_asked
	dump_replaces_a_file_only_if_told
	two_tools_at_once_do_not_see_each_other
	looking_changes_nothing
	a_channel_lives_on_while_it_is_looked_at
	leaks_names_one_small_slice_among_100000
	leaks_shows_content_only_if_asked
	leaks_finds_nothing_where_nothing_is_lent
	another_user_sees_nothing_of_root_and_is_told
	a_user_sees_what_is_his_own
	top_runs_in_a_terminal_and_quits_cleanly
	top_writes_tables_and_json_for_programs
	metrics_are_prometheus_text
	doctor_points_at_channels_in_trouble
)

mine() { # JQ-FILTER on the fixture's channel
	is ".channels[] | select(any(.endpoints[]; .process.pid == $parent)) | $1"
}

list_shows_a_channel_once_with_both_its_processes() {
	start live || return
	run list --json
	exits 0 && fits list && is "[.channels[] | select(any(.endpoints[]; .process.pid == $parent))] | length == 1" &&
		mine ".state == \"live\" and .backend == \"$SHMIPC_BACKEND\"" &&
		mine "[.endpoints[].process.pid] == [$parent, $child]" &&
		mine '[.endpoints[].lane.waiting] == ["awake", "asleep"]' || return
	run list
	exits 0 && shows "$SHMIPC_BACKEND +live +$parent fixture +$child fixture-child"
}

list_shows_what_is_queued_for_a_process_that_hangs() {
	start hung || return
	run list --json
	exits 0 && mine '.endpoints[0].lane.queue == 5 and .endpoints[1].lane.queue == 0' || return
	run dump "pid:$child"
	exits 0 && shows '5 of 256 slots are queued' && shows ' 0 fail, 0 strange'
}

list_calls_a_channel_stopped_whose_process_is() {
	start stopped || return
	run list --json
	exits 0 && mine '.state == "stopped" and .endpoints[1].process.state == "T"' &&
		mine '.endpoints[0].lane.queue == 5' || return
	run dump "pid:$child" --json
	exits 0 && fits dump && is '[.invariants[] | select(.verdict != "holds")] == []'
}

list_calls_a_channel_hung_up_whose_process_was_killed() {
	start killed || return
	run list --json
	exits 0 && mine '.state == "hung-up" and .endpoints[1].state == "gone" and .endpoints[1].process == null' &&
		mine '.endpoints[0].lane.queue == 5 and .endpoints[1].lane != null' || return
	run dump "pid:$parent"
	exits 0 && shows '5 of 256 slots are queued'
}

list_calls_a_channel_new_that_was_not_handed_over() {
	start new || return
	run list --json
	exits 0 && fits list && mine '.state == "new" and .endpoints[1].state == "none"'
}

list_takes_two_channels_of_the_same_processes_apart() {
	start trickle 20 || return
	run list --json --pid "$parent"
	exits 0 && is '.channels | length == 20' && is '[.channels[].channel] | unique | length == 20' &&
		is 'all(.channels[]; .state == "live")' &&
		is "all(.channels[]; [.endpoints[].process.pid] == [$parent, $child])"
}

list_selects_by_process_and_state() {
	start killed || return
	run list --json --state hung-up --pid "$parent"
	exits 0 && is "[.channels[] | select(any(.endpoints[]; .process.pid == $parent))] | length == 1" || return
	run list --json --state live --pid "$parent"
	exits 0 && is '.channels == []' || return
	run list --json --pid $$
	exits 0 && is '.channels == []' || return
	run list --state nonsense
	exits 2
}

list_shows_a_session_with_its_streams_and_address() {
	start session || return
	run list --json
	exits 0 && fits list && mine '.streams == 3 and [.endpoints[].session.role] == ["client", "server"]' &&
		mine 'all(.endpoints[].session; .state == "alive" and .streams == 3 and .address == "unix:/run/fixture.sock")' &&
		mine '.endpoints[0].session.streams_opened == 3 and .endpoints[1].session.streams_accepted == 3' || return
	run list
	exits 0 && shows ' 3 .*unix:/run/fixture.sock$' || return
	run stat "pid:$parent"
	exits 0 && shows '^open streams +3 +3$' && shows '^session +client, alive +server, alive$' || return
	run dump "pid:$parent"
	exits 0 && shows ' 0 fail'
}

stat_shows_counters_and_rates() {
	start busy || return
	run stat "pid:$parent" --json
	exits 0 && fits stat && is '.rates == null and .channel.endpoints[0].lane.counters.messages_sent > 0' || return
	run stat "pid:$parent" -i 200ms -n 2 --json
	exits 0 && fits stat --lines && jq -es 'length == 2 and all(.[]; .rates.messages_per_second[0] > 10)' \
		"$work/stdout" >/dev/null || return
	run stat "pid:$parent" -i 100ms -n 2
	exits 0 && shows 'msg/s 0>1' || return
	run stat "pid:$parent"
	exits 0 && shows '^messages sent +[0-9]+ +[0-9]+$'
}

stat_of_a_channel_that_goes_ends() {
	start live || return
	(
		sleep 0.5
		kill "$parent"
	) 9>&- &
	run stat "pid:$parent" -i 100ms -n 1000
	exits 2 && tells 'the channel is gone'
}

a_broken_record_is_named_and_hides_nothing_else() {
	local scenario
	for scenario in magic geometry; do
		start "$scenario" || return
		run list --json
		exits 0 && fits list && mine '.state == "corrupt" and (.reason | length > 10)' &&
			mine '.endpoints[0].lane == null and .endpoints[1].lane != null' || return
		for command in "list" "stat pid:$child" "leaks" "top -b -n 1 -d 100ms" "metrics" "doctor"; do
			# shellcheck disable=SC2086 # words
			run $command
			[ "$status" -lt 2 ] || say "$command: status $status" || return
		done
		run dump "pid:$child" --json
		exits 1 && fits dump && is '.invariants[] | select(.name == "record" and .verdict == "fails")' || return
		stop
	done
}

each_broken_invariant_is_named() {
	local scenario name
	for scenario in lap:laps slot:messages table:slice-table overlap:space returns:return-ring gauge:lent rung:rung; do
		name=${scenario#*:}
		start "${scenario%:*}" || return
		run dump "pid:$child" --json
		exits 1 && fits dump &&
			is "[.invariants[] | select(.verdict == \"fails\") | .name] | any(. == \"$name\")" || return
		run dump "pid:$child"
		exits 1 && shows "fails +$name +endpoint 0: " || return
		run list
		exits 0 || return
		stop
	done
}

a_channel_in_use_breaks_no_invariant() {
	local i
	start busy || return
	for i in 1 2 3 4 5; do
		run dump "pid:$parent" --json
		exits 0 && is '[.invariants[] | select(.verdict == "fails")] == []' || return
	done
}

dump_writes_a_file_that_shows_the_same_elsewhere() {
	local file=$work/channel.dump
	rm -f "$file"
	start grown || return
	run dump "pid:$child" --json
	exits 0 || return
	jq -S '.lanes | map(.control, .slots, .segments, (.slices | map(del(.age_ms))))' "$work/stdout" >"$work/live"
	run dump "pid:$child" --output "$file"
	exits 0 && shows 'invariants: 28 hold, 0 fail' || return
	[ "$(stat -c %a "$file")" = 600 ] || say "mode $(stat -c %a "$file")" || return
	stop
	run dump --read "$file" --json
	exits 0 && fits dump || return
	jq -S '.lanes | map(.control, .slots, .segments, (.slices | map(del(.age_ms))))' "$work/stdout" >"$work/file"
	cmp "$work/live" "$work/file" || say "the file says something else" || return
	run dump --read "$file" --all
	exits 0 && shows 'holds +space' && shows '\|[#.+]{64}\|'
}

dump_leaves_content_out_unless_asked() {
	start leak 100 || return
	rm -f "$work/a.dump" "$work/b.dump"
	run dump "pid:$child" --output "$work/a.dump"
	exits 0 || return
	run dump "pid:$child" --output "$work/b.dump" --content
	exits 0 || return
	! grep -q 'a secret that was lent' "$work/a.dump" || say "the secret is in the dump" || return
	grep -q 'a secret that was lent' "$work/b.dump" || say "no content in the dump" || return
	stop
	start hung || return
	run dump "pid:$child" --output "$work/a.dump" --force
	exits 0 && ! grep -q unread "$work/a.dump" || say "a message in a slot is in the dump"
}

dump_replaces_a_file_only_if_told() {
	echo precious >"$work/file"
	start hung || return
	run dump "pid:$child" -o "$work/file"
	exits 2 && tells '--force' && [ "$(cat "$work/file")" = precious ] || return
	run dump "pid:$child" -o "$work/file" --force
	exits 0
}

two_tools_at_once_do_not_see_each_other() {
	local top result=0
	start live || return
	"$ctl" top -b -d 200ms >/dev/null 2>&1 9>&- &
	top=$!
	sleep 1
	run list --json --pid "$parent"
	exits 0 && is '.channels | length == 1' && mine "[.endpoints[].process.pid] == [$parent, $child]" || result=1
	stop
	run list --json --pid "$parent"
	exits 0 && is '.channels == []' || result=1
	kill "$top"
	wait "$top" 2>/dev/null
	return $result
}

looking_changes_nothing() {
	local command
	start hung || return
	run dump "pid:$child" -o "$work/before" --content --force
	exits 0 || return
	for command in list "stat pid:$child" leaks "leaks --content 64 -o 0s" "top -b -n 2 -d 100ms" metrics doctor status; do
		# shellcheck disable=SC2086 # words
		run $command
		[ "$status" -lt 2 ] || say "$command: status $status" || return
	done
	run dump "pid:$child" -o "$work/after" --content --force
	exits 0 || return
	# All but the description, which has the time in it.
	run dump -r "$work/before" --json
	jq 'del(.description)' "$work/stdout" >"$work/one"
	run dump -r "$work/after" --json
	jq 'del(.description)' "$work/stdout" >"$work/two"
	cmp "$work/one" "$work/two" || say "looking has changed something"
}

a_channel_lives_on_while_it_is_looked_at() {
	local before after
	start busy || return
	run stat "pid:$parent" --json
	before=$(jq .channel.endpoints[0].lane.counters.messages_sent "$work/stdout")
	for _ in 1 2 3; do
		run dump "pid:$parent"
		run list
	done
	sleep 0.3
	run stat "pid:$parent" --json
	after=$(jq .channel.endpoints[0].lane.counters.messages_sent "$work/stdout")
	[ "$after" -gt "$before" ] || say "$before messages, then $after" || return
	is '.channel.state == "live"'
}

leaks_names_one_small_slice_among_100000() {
	local count=100000
	start leak "$count" 3000 || return
	run leaks --older 2s --json --pid "$parent"
	# Where it is slow the others are old by now too: the oldest comes first all the same.
	[ -z "${SHMIPC_EMULATED-}" ] || run leaks --pid "$parent" --older 0s --limit 1 --json
	exits 1 && fits leaks && is '.channels[0].leaks[0] | .size == 100 and .stream == 77 and .where == "held"' &&
		is '.channels[0].leaks[0].age_ms >= 2000' && is '.channels[0].leaks[0].content_hex == null' || return
	[ -n "${SHMIPC_EMULATED-}" ] || is '.count == 1' || return
	run list --json
	mine "([.endpoints[].lane.lent_slices] | add) == $count + 1"
}

leaks_shows_content_only_if_asked() {
	start leak 10 || return
	run leaks --pid "$parent" --older 0s
	exits 1 && shows ' 77 ' && hides secret || return
	run leaks --pid "$parent" --older 0s --content 64
	exits 1 && shows 'a secret that was lent and never came back' || return
	run leaks --pid "$parent" --older 0s --content 8 --json
	exits 1 && fits leaks && is '[.channels[].leaks[] | select(.stream == 77) | .content_hex] == ["6120736563726574"]'
}

leaks_finds_nothing_where_nothing_is_lent() {
	start busy || return
	run leaks --pid "$parent" --older 10s
	exits 0 && shows 'nothing is lent' || return
	run leaks --pid "$parent" --older 10s --json
	exits 0 && fits leaks && is '.count == 0'
}

another_user_sees_nothing_of_root_and_is_told() {
	start hung || return
	run_as 65534 list --json
	exits 0 && fits list && is '.channels == [] and .hidden_processes > 0' && tells 'root sees more' || return
	run_as 65534 dump "pid:$child"
	exits 2 && tells 'only root may look at' || return
	run_as 65534 leaks
	exits 0 && tells 'may not be looked at'
}

a_user_sees_what_is_his_own() {
	if [ "$SHMIPC_BACKEND" = kmod ]; then
		chmod 666 /dev/shmipc
	fi
	user=65534 start leak 10 || return
	run_as 65534 list --json
	exits 0 && mine '.state == "live" and .endpoints[0].process.uid == 65534' || return
	run_as 65534 leaks --older 0s --content 16
	exits 1 && shows 'a secret that wa' || return
	run_as 65534 dump "pid:$parent"
	exits 0 && shows ' 0 fail' || return
	run_as 65534 top -b -n 1 -d 100ms
	exits 0 && shows '^1 channels' || return
	run_as 65534 stat "pid:$child"
	exits 0 && shows '^slices lent +6 +5$' || return
	run_as 65533 list --json
	exits 0 && is '.channels == []' || return
	run list --json
	[ "$SHMIPC_BACKEND" = memfd ] || chmod 600 /dev/shmipc
	exits 0 && mine '.state == "live"'
}

top_runs_in_a_terminal_and_quits_cleanly() {
	start busy || return
	timeout -k 5 $((limit * 2)) "$here/drive-top" "$ctl" "$parent" 9>&-
}

top_writes_tables_and_json_for_programs() {
	start busy || return
	run top -b -n 2 -d 200ms --pid "$parent"
	exits 0 && shows '^1 channels' && shows 'MSG/S' && hides $'\033' || return
	run top --json -n 2 -d 200ms --pid "$parent"
	exits 0 && fits top --lines && jq -es 'length == 2 and .[1].channels[0].rates.messages_per_second[0] > 10' \
		"$work/stdout" >/dev/null || say "no rates" || return
	stop
	start hung || return
	run top --json -n 1 -d 200ms --pid "$parent"
	is '.channels[0].rates.stalled'
}

metrics_are_prometheus_text() {
	start leak 20 || return
	run metrics
	exits 0 && "$here/check-metrics" <"$work/stdout" &&
		shows "^shmipc_lent_slices\{channel=\"[0-9a-f]{16}\",backend=\"$SHMIPC_BACKEND\",endpoint=\"0\",pid=\"$parent\",comm=\"fixture\"\} 11$" ||
		return
	run metrics --aggregate
	exits 0 && "$here/check-metrics" <"$work/stdout" && shows '^shmipc_lent_slices [0-9]+$' && hides 'pid=' || return
	run metrics --file "$work/shmipc.prom"
	exits 0 && "$here/check-metrics" <"$work/shmipc.prom" && [ "$(stat -c %a "$work/shmipc.prom")" = 644 ]
}

doctor_points_at_channels_in_trouble() {
	start killed || return
	run doctor --json
	exits 0 && fits doctor && is '.lines[] | select(.check == "hung-up") | .verdict == "warn" and (.command | length > 0)' ||
		return
	stop
	start magic || return
	run doctor
	exits 1 && shows '^fail +records ' && shows '\$ shmipcctl list --state corrupt'
}
