#!/bin/bash
# Entrypoint of the local stand-in for mysql:9.7: with an empty data folder it makes the database and the user that
# MYSQL_DATABASE, MYSQL_USER, MYSQL_PASSWORD and MYSQL_ROOT_PASSWORD (or their _FILE forms) and
# MYSQL_RANDOM_ROOT_PASSWORD ask for, as the official image does, and then becomes the server.
set -euo pipefail

# Prints the value of the variable $1, or the content of the file that $1_FILE names.
setting() {
  local file_variable=$1_FILE
  if [ -n "${!file_variable:-}" ]; then cat "${!file_variable}"; else printf '%s' "${!1:-}"; fi
}

# Prints a text as an SQL string.
quoted() {
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\'\'}"
}

# Prints the statements for an empty data folder, one a line, as mysqld --init-file reads them.
first_statements() {
  local root_password user password database
  root_password=$(setting MYSQL_ROOT_PASSWORD)
  if [ -n "${MYSQL_RANDOM_ROOT_PASSWORD:-}" ]; then root_password=$(head -c 24 /dev/urandom | base64); fi
  if [ -z "$root_password" ] && [ -z "${MYSQL_ALLOW_EMPTY_PASSWORD:-}" ]; then
    echo 'set MYSQL_ROOT_PASSWORD, MYSQL_RANDOM_ROOT_PASSWORD or MYSQL_ALLOW_EMPTY_PASSWORD' >&2
    return 1
  fi
  echo "ALTER USER 'root'@'localhost' IDENTIFIED BY $(quoted "$root_password");"
  database=$(setting MYSQL_DATABASE)
  if [ -n "$database" ]; then echo "CREATE DATABASE IF NOT EXISTS \`$database\`;"; fi
  user=$(setting MYSQL_USER)
  password=$(setting MYSQL_PASSWORD)
  if [ -n "$user" ] && [ -n "$password" ]; then
    echo "CREATE USER IF NOT EXISTS $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$password");"
    if [ -n "$database" ]; then echo "GRANT ALL ON \`${database//_/\\_}\`.* TO $(quoted "$user")@'%';"; fi
  fi
}

if [ "${1:-}" != mysqld ]; then exec "$@"; fi
shift

data=/var/lib/mysql
settings=(--user=mysql --datadir="$data" --bind-address='*' --socket=/var/run/mysqld/mysqld.sock --pid-file=/var/run/mysqld/mysqld.pid)
install -d -m 755 -o mysql -g mysql /var/run/mysqld
if [ "$(id -u)" = 0 ]; then chown mysql:mysql "$data"; fi
first=/var/run/mysqld/first.sql
rm -f "$first"
if [ ! -d "$data/mysql" ]; then
  statements=$(first_statements)
  mysqld "${settings[@]}" "$@" --initialize-insecure
  # The server reads the file at the first start only. It is in memory or in the container, never in the data folder.
  (umask 077 && printf '%s\n' "$statements" >"$first" && chown mysql:mysql "$first")
  settings+=(--init-file="$first")
fi
exec mysqld "${settings[@]}" "$@"
