# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Sourced by the scripts next to it: where the cache is, its locks, and Debian packages that are fetched and unpacked
# there. Nothing is ever installed on the system, and its apt state is read but not written.

cache=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/shmipc}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# Holds the named lock of the cache for as long as this process lives, so that concurrent callers do the work once.
lock_cache() { # NAME
	exec 9>"$cache/.lock.$1"
	flock 9
}

# An address that the machine's own apt uses for Debian's main archive or its security archive. Asking apt covers every
# format of its source files; the origin check keeps third parties out whatever they call their suites.
mirror_of() { # main|security
	if [ "$1" = main ] && [ -n "${SHMIPC_DEBIAN_MIRROR:-}" ]; then
		echo "$SHMIPC_DEBIAN_MIRROR"
		return
	fi
	apt-get indextargets --format "\$(ORIGIN)|\$(COMPONENT)|\$(RELEASE)|\$(REPO_URI)" 'Created-By: Packages' |
		awk -F'|' -v want="$1" '
			$1 != "Debian" || $2 != "main" || found { next }
			want == "security" ? $3 ~ /-security$/ : $3 !~ /[-\/]/ { print $4; found = 1 }'
}

# Prepares a private apt in DIR that knows the given suites and believes that nothing is installed. "X-security" suites
# come from the security archive and are left out, aloud, if this machine knows none.
setup_apt() { # DIR SUITE…
	local dir=$1 suite archive mirror
	shift
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	: >"$dir/status"
	: >"$dir/sources.list"
	for suite; do
		archive=main
		[ "${suite%-security}" = "$suite" ] || archive=security
		mirror=$(mirror_of "$archive")
		if [ -z "$mirror" ]; then
			[ "$archive" = security ] ||
				die "apt knows no source for Debian's main archive (run apt-get update, or set SHMIPC_DEBIAN_MIRROR)"
			echo "${0##*/}: apt knows no security archive, going without $suite" >&2
			continue
		fi
		echo "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
			>>"$dir/sources.list"
	done
	apt_options=(-q=2
		-o "Dir::State::Lists=$dir/lists" -o "Dir::State::status=$dir/status" -o "Dir::Cache=$dir"
		-o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
		-o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3
		-o APT::Architecture=amd64 -o APT::Architectures::=amd64 -o APT::Update::Post-Invoke-Success::=
		-o Debug::NoLocking=true)
	apt-get "${apt_options[@]}" update >&2
}

# What the newest version of PACKAGE depends on, names only.
depends_of() { # PACKAGE
	apt-cache "${apt_options[@]}" depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
		--no-enhances "$1" | sed -n 's/^ *Depends: //p'
}

# Leaves the .deb files of the packages in DIR.
download() { # DIR PACKAGE…
	local dir=$1
	shift
	mkdir -p "$dir"
	(cd "$dir" && apt-get "${apt_options[@]}" download "$@" >&2)
}
