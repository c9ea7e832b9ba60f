#!/usr/bin/env bash
# Provides the base images that the Dockerfile and the Compose files name:  images.sh [node] [nginx] [mysql]
#
# Takes the real image if it was pulled or if its registry answers. Otherwise makes a local stand-in under the same name
# from Debian's and npm's packages, labelled `chat.stand-in`, so that the same Dockerfile and Compose files are built and
# run. Run it through with-engine.sh. A second run takes seconds.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

declare -A tags=([node]=node:26-slim [nginx]=nginx:1.30 [mysql]=mysql:9.7)

# Copies a root ($1: base or sid) for the image $2, and prints the copy's folder.
copy_root() {
  local copy=$cache/roots/image-$2
  rm -rf "$copy"
  cp -a "$("$1_root")" "$copy"
  echo "$copy"
}

# Installs packages in a root; $1 the root.
install_in() {
  local root=$1
  shift
  { in_root "$root" apt-get update && in_root "$root" apt-get install -y --no-install-recommends "$@"; } \
    >"$run/install.log" 2>&1 || { tail -n 20 "$run/install.log" >&2; die "could not install $*"; }
}

# Makes the image $1 from the root $2; the other arguments are Dockerfile instructions for its settings.
import_root() {
  local tag=$1 root=$2 changes=() instruction
  shift 2
  for instruction in 'LABEL chat.stand-in=1' "$@"; do changes+=(--change "$instruction"); done
  tar -C "$root" --numeric-owner -c --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' --exclude='./tmp/*' \
    --exclude='./var/lib/apt/lists/*' --exclude='./var/cache/apt/*' --exclude='./usr/share/doc/*' . |
    docker import "${changes[@]}" - "$tag" >/dev/null
  rm -rf "$root"
}

# Unpacks the npm package $1 into the folder $2.
unpack_npm() {
  local work=$run/npm
  rm -rf "$work"
  mkdir -p "$work" "$2"
  (cd "$work" && npm pack --silent "$1" >/dev/null) || die "npm has no $1"
  tar -C "$2" -xzf "$work"/*.tgz --strip-components=1
  rm -rf "$work"
}

make_node() {
  local root arch certificates='' settings=()
  case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) die "npm has no node for $(uname -m)" ;;
  esac
  root=$(copy_root base node)
  install_in "$root" libatomic1 ca-certificates
  unpack_npm "node-linux-$arch@26" "$run/node"
  install -m 755 "$run/node/bin/node" "$root/usr/local/bin/node"
  rm -rf "$run/node"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -a "$(npm root -g)/npm" "$root/usr/local/lib/node_modules/npm"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
  # If this machine needs a certificate of its own, a build needs it too, or `npm ci` fails in it.
  if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
    certificates=/usr/local/share/machine-certificates.pem
    cp -L "$NODE_EXTRA_CA_CERTS" "$root$certificates"
    settings=("ENV NODE_EXTRA_CA_CERTS=$certificates")
  fi
  import_root "$1" "$root" 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "ENV NODE_VERSION=$("$root/usr/local/bin/node" --version | cut -c2-)" 'CMD ["node"]' "${settings[@]}"
}

make_nginx() {
  local root version
  root=$(copy_root sid nginx)
  install_in "$root" nginx-light
  version=$(in_root "$root" nginx -v 2>&1)
  case $version in *nginx/1.30.*) ;; *) say "warning: this machine's nginx:1.30 is $version" ;; esac
  # As in the official image: the log is the container's output.
  ln -sf /dev/stdout "$root/var/log/nginx/access.log"
  ln -sf /dev/stderr "$root/var/log/nginx/error.log"
  import_root "$1" "$root" 'EXPOSE 80' 'CMD ["nginx", "-g", "daemon off;"]'
}

make_mysql() {
  local root version
  root=$(copy_root sid mysql)
  install_in "$root" mysql-server
  version=$(in_root "$root" mysqld --version 2>&1)
  case $version in *"Ver 9.7."*) ;; *) say "warning: this machine's mysql:9.7 is $version" ;; esac
  rm -rf "$root/var/lib/mysql"
  install -d -m 750 -o "$(in_root "$root" id -u mysql)" -g "$(in_root "$root" id -g mysql)" "$root/var/lib/mysql"
  install -m 755 "$here/mysql-entrypoint.sh" "$root/usr/local/bin/docker-entrypoint.sh"
  import_root "$1" "$root" 'EXPOSE 3306' 'VOLUME /var/lib/mysql' 'ENTRYPOINT ["docker-entrypoint.sh"]' 'CMD ["mysqld"]'
}

is_stand_in() { [ "$(docker image inspect --format '{{index .Config.Labels "chat.stand-in"}}' "$1" 2>/dev/null)" = 1 ]; }

provide() {
  local name=$1 tag=${tags[$1]:-}
  [ -n "$tag" ] || die "no such image: $name (of: ${!tags[*]})"
  if docker image inspect "$tag" >/dev/null 2>&1 && ! is_stand_in "$tag"; then
    say "$tag: the real image"
  elif timeout 300 docker pull --quiet "$tag" >/dev/null 2>&1; then
    say "$tag: the real image, just pulled"
  elif is_stand_in "$tag"; then
    say "$tag: the local stand-in"
  else
    say "$tag: no registry answers, making a local stand-in"
    "make_$name" "$tag"
  fi
}

exec 7>"$run/images.lock"
flock --exclusive 7
for name in "${@:-node}"; do provide "$name"; done
