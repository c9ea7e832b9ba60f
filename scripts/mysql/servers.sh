#!/usr/bin/env bash
# Brings the database servers that the tests run against, each as a Debian root of its own:  servers.sh [mysql] [mariadb]
#
# MySQL 9.7 is in Debian's sid, MariaDB 10.11 in its release bookworm. Nothing is installed on the machine itself: the
# tests start `mysqld` and `mariadbd` by chroot, on 127.0.0.1 and data folders of their own. Needs root and Debian.
# Prints the folders. What is there is kept, so a second run takes no time.

. "$(dirname "${BASH_SOURCE[0]}")/../docker/common.sh"

# Makes the root $1 from a copy of another ($2: sid_root or base_root) with the package $3, once.
provide() {
  local root=$cache/roots/$1 from
  if [ ! -e "$root.done" ]; then
    from=$("$2")
    say "installing $3 in a root of its own (once)"
    rm -rf "$root"
    cp -a "$from" "$root"
    {
      in_root "$root" apt-get update && in_root "$root" apt-get install -y --no-install-recommends "$3"
    } >"$run/$1.log" 2>&1 || { tail -n 20 "$run/$1.log" >&2; die "could not install $3"; }
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root/var/lib/apt/lists" "$root/var/lib/mysql"
    touch "$root.done"
  fi
  echo "$root"
}

# Others make the same roots: the images' script under the first lock, the engine's under the second.
exec 7>"$run/images.lock" 8>"$run/start.lock"
flock --exclusive 7
flock --exclusive 8
for name in "${@:-mysql mariadb}"; do
  for one in $name; do
    case $one in
      mysql) provide mysql-server sid_root mysql-server ;;
      mariadb) provide mariadb-server base_root mariadb-server ;;
      *) die "no such server: $one (of: mysql mariadb)" ;;
    esac
  done
done
