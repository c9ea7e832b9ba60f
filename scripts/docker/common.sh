# Shared by the scripts of this folder: the cache folder, and Debian roots to make images from.
# Sourced by bash, not run.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${CHAT_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chat-ci}
run=$cache/run
mkdir -p "$cache" "$run"

say() { printf '[docker] %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Installs the Debian packages among the arguments that are missing.
need_packages() {
  local missing=() name
  for name; do
    dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return
  [ "$(id -u)" = 0 ] || die "needs root to install ${missing[*]}; or install them yourself"
  say "installing ${missing[*]}"
  local log=$run/apt.log
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 || { tail -n 20 "$log" >&2; die "apt-get failed, see $log"; }
}

# Prints the address of the Debian mirror that this machine installs from, as apt knows it.
debian_mirror() {
  local codename=$1 found
  list_mirrors() {
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Identifier: Packages' |
      awk -v want="$codename" '$1 == want && $2 == "main" && !seen++ { print $3 }'
  }
  found=$(list_mirrors)
  [ -n "$found" ] || { apt-get update >/dev/null; found=$(list_mirrors); }
  [ -n "$found" ] || die "apt knows no mirror for $codename main"
  echo "$found"
}

# Runs a command inside a root ($1). It resolves names as this machine does.
in_root() {
  local root=$1
  shift
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive \
    chroot "$root" "$@"
}

# Prints the folder of a minimal Debian of this machine's release; makes it the first time.
base_root() {
  local root=$cache/roots/base codename
  if [ ! -e "$root.done" ]; then
    need_packages debootstrap
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    say "debootstrap $codename (half a minute, once)"
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase "$codename" "$root" "$(debian_mirror "$codename")" >"$run/debootstrap.log" 2>&1 ||
      { tail -n 20 "$run/debootstrap.log" >&2; die 'debootstrap failed'; }
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    rm -rf "$root"/var/cache/apt/archives/*.deb
    touch "$root.done"
  fi
  echo "$root"
}

# Prints the folder of the same Debian with the package list of `sid`, where newer programs come from.
sid_root() {
  local root=$cache/roots/sid base mirror
  base=$(base_root)
  if [ ! -e "$root.done" ]; then
    mirror=$(debian_mirror "$(. /etc/os-release && echo "$VERSION_CODENAME")")
    say 'reading the package list of sid (once)'
    rm -rf "$root"
    cp -a "$base" "$root"
    rm -f "$root"/etc/apt/sources.list.d/*
    echo "deb [check-valid-until=no] $mirror sid main" >"$root/etc/apt/sources.list"
    in_root "$root" apt-get update >"$run/sid.log" 2>&1 || { tail -n 20 "$run/sid.log" >&2; die 'apt-get update of sid failed'; }
    touch "$root.done"
  fi
  echo "$root"
}
